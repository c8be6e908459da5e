// Correlation of every pixel with its square neighbourhood on a CPU.
//
//   out(y, x, dy, dx) = scale sum_c query(y, x, c) key(y + dy, x + dx, c)
//
// dy and dx from -radius to radius, zeros outside the image (Yang et al., "K3DN:
// Disparity-aware Kernel Estimation for Dual-Pixel Defocus Deblurring", CVPR 2023,
// Eq. 12). A vector holds neighbouring pixels of one channel: rows are transposed once,
// and read from there for every shift.

#ifndef TF_DEFOCUS_LOCAL_CORRELATION_H_
#define TF_DEFOCUS_LOCAL_CORRELATION_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "winograd.h"

namespace tf_defocus {
namespace local_correlation {

using winograd::kLanes;
using winograd::Load;
using winograd::Store;
using winograd::Vector;

constexpr int kTogether = 9;  // shifts whose sums the registers hold

struct Sizes {
  int64_t height, width, channels, radius;

  int64_t window() const { return 2 * radius + 1; }
  int64_t padded_width() const { return (width + kLanes - 1) / kLanes * kLanes; }
  int64_t key_width() const { return padded_width() + 2 * radius; }
  int64_t key_elements() const { return channels * key_width(); }  // of one row
};

// A row (width, channels) to (channels, step), from column `margin` on.
inline void TransposeRow(const Sizes& s, const float* row, float scale, int64_t margin,
                         int64_t step, float* out) {
  for (int64_t x = 0; x < s.width; ++x) {
    for (int64_t c = 0; c < s.channels; ++c) {
      out[c * step + margin + x] = scale * row[x * s.channels + c];
    }
  }
}

// Sums over channels for kLanes pixels and kShifts neighbouring shifts.
template <int kShifts>
inline void SumShifts(const Sizes& s, const float* query, const float* key, float* out) {
  Vector sum[kShifts] = {};
  for (int64_t c = 0; c < s.channels; ++c) {
    const Vector value = Load(query + c * s.padded_width());
    const float* shifted = key + c * s.key_width();
#pragma GCC unroll 9
    for (int i = 0; i < kShifts; ++i) sum[i] += value * Load(shifted + i);
  }
  for (int i = 0; i < kShifts; ++i) Store(sum[i], out + i * kLanes);
}

// Working memory of one thread: a row of the query, the rows of the key within reach, the
// maps of kLanes pixels.
struct Scratch {
  std::vector<float> query, keys, maps;

  explicit Scratch(const Sizes& s)
      : query(s.channels * s.padded_width()),
        keys(s.window() * s.key_elements()),
        maps(s.window() * s.window() * kLanes) {}

  float* key(const Sizes& s, int64_t row) {  // rows take turns
    return keys.data() + (row + s.window()) % s.window() * s.key_elements();
  }
};

inline void TakeKey(const Sizes& s, const float* key, int64_t row, Scratch* scratch) {
  float* out = scratch->key(s, row);
  if (row < 0 || row >= s.height) {
    std::fill(out, out + s.key_elements(), 0.0f);
  } else {
    TransposeRow(s, key + row * s.width * s.channels, 1, s.radius, s.key_width(), out);
  }
}

// Pixels [x, x + kLanes) of one row of the output.
inline void CorrelatePixels(const Sizes& s, int64_t y, int64_t x, Scratch* scratch,
                            float* out) {
  const int64_t window = s.window(), shifts = window * window;
  for (int64_t dy = 0; dy < window; ++dy) {
    const float* query = scratch->query.data() + x;
    const float* key = scratch->key(s, y + dy - s.radius) + x;
    float* maps = scratch->maps.data() + dy * window * kLanes;
    int64_t dx = 0;
    for (; dx + kTogether <= window; dx += kTogether) {
      SumShifts<kTogether>(s, query, key + dx, maps + dx * kLanes);
    }
    for (; dx < window; ++dx) SumShifts<1>(s, query, key + dx, maps + dx * kLanes);
  }
  const int64_t count = std::min<int64_t>(kLanes, s.width - x);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t shift = 0; shift < shifts; ++shift) {
      out[i * shifts + shift] = scratch->maps[shift * kLanes + i];
    }
  }
}

// Rows [begin, end) of one image's output (height, width, window^2).
inline void CorrelateRows(const Sizes& s, const float* query, const float* key,
                          float scale, float* out, int64_t begin, int64_t end) {
  Scratch scratch(s);
  for (int64_t row = begin - s.radius; row < begin + s.radius; ++row) {
    TakeKey(s, key, row, &scratch);
  }
  for (int64_t y = begin; y < end; ++y) {
    TakeKey(s, key, y + s.radius, &scratch);
    TransposeRow(s, query + y * s.width * s.channels, scale, 0, s.padded_width(),
                 scratch.query.data());
    for (int64_t x = 0; x < s.width; x += kLanes) {
      CorrelatePixels(s, y, x, &scratch,
                      out + (y * s.width + x) * s.window() * s.window());
    }
  }
}

}  // namespace local_correlation
}  // namespace tf_defocus

#endif  // TF_DEFOCUS_LOCAL_CORRELATION_H_
