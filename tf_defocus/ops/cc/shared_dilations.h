// One kernel at several dilation rates on a CPU, with a product per tap and pixel.
//
//   out_r[y, x] = sum_ab  P[a, b][y + a r, x + b r],    P[a, b] = features . kernel[a, b]
//
// P does not depend on the rate r, so that five rates cost the multiply-adds of one; what
// each adds are sums of shifted products. The products of a tap with some pixels of a row
// are added to all sums before the next are computed, so that they stay in the cache.

#ifndef TF_DEFOCUS_SHARED_DILATIONS_H_
#define TF_DEFOCUS_SHARED_DILATIONS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "winograd.h"

namespace tf_defocus {
namespace shared_dilations {

constexpr int kPixels = winograd::kTiles;  // of a row, taken together

struct Task {
  winograd::Sizes sizes;
  int64_t kernel_size;         // odd
  std::vector<int64_t> rates;  // [px]

  int64_t radius() const { return kernel_size / 2; }
  int64_t taps() const { return kernel_size * kernel_size; }
  int64_t reach() const {
    return radius() * *std::max_element(rates.begin(), rates.end());
  }
  int64_t padded_filters() const { return sizes.panels() * sizes.panel(); }
  int64_t kernel_elements() const {
    return taps() * sizes.channels * padded_filters();
  }
};

// (taps, channels, filters) to (taps, panels, channels, panel), zeros beyond filters.
inline void PackKernel(const Task& task, const float* kernel, float* out) {
  const int64_t channels = task.sizes.channels, filters = task.sizes.filters;
  const int64_t panel = task.sizes.panel();
  std::fill(out, out + task.kernel_elements(), 0.0f);
  for (int64_t tap = 0; tap < task.taps(); ++tap) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t f = 0; f < filters; ++f) {
        const int64_t at = (tap * task.sizes.panels() + f / panel) * channels + c;
        out[at * panel + f % panel] = kernel[(tap * channels + c) * filters + f];
      }
    }
  }
}

// Working memory of one thread: pixels and the products of a tap with them.
struct Scratch {
  std::vector<float> pixels, products;

  explicit Scratch(const Task& task)
      : pixels(kPixels * task.sizes.channels),
        products(kPixels * task.padded_filters()) {}
};

template <int kVectors>
inline void MultiplyTap(const Task& task, const float* kernel, int64_t tap,
                        Scratch* scratch) {
  const winograd::Sizes& s = task.sizes;
  for (int64_t panel = 0; panel < s.panels(); ++panel) {
    const float* columns =
        kernel + (tap * s.panels() + panel) * s.channels * s.panel();
    float* out = scratch->products.data() + panel * s.panel();
    constexpr int kRows = winograd::kAccumulators / kVectors;
    for (int p = 0; p < kPixels; p += kRows) {
      winograd::Multiply<kVectors>(scratch->pixels.data() + p * s.channels, s.channels,
                                   s.channels, columns, out + p * task.padded_filters(),
                                   task.padded_filters());
    }
  }
}

// Rows [begin, end) of the outputs, one tensor per rate, of one image.
struct Strip {
  int64_t begin, end;
  const std::vector<float*>& outputs;  // of that image
};

// Adds the products of one tap with pixels [x, x + count) of row y to all outputs.
inline void AddShifted(const Task& task, const Strip& strip, int64_t tap, int64_t y,
                       int64_t x, int64_t count, const float* products) {
  const int64_t width = task.sizes.width, filters = task.sizes.filters;
  const int64_t down = tap / task.kernel_size - task.radius();
  const int64_t right = tap % task.kernel_size - task.radius();
  for (size_t i = 0; i < task.rates.size(); ++i) {
    const int64_t row = y - down * task.rates[i], shift = right * task.rates[i];
    if (row < strip.begin || row >= strip.end) continue;
    const int64_t first = std::max(x, shift), last = std::min(x + count, width + shift);
    for (int64_t column = first; column < last; ++column) {
      const float* __restrict from = products + (column - x) * task.padded_filters();
      float* __restrict to = strip.outputs[i] + (row * width + column - shift) * filters;
      for (int64_t f = 0; f < filters; ++f) to[f] += from[f];
    }
  }
}

// Whether any output row of the strip lies under a row of taps at row y.
inline bool Reaches(const Task& task, const Strip& strip, int64_t tap, int64_t y) {
  const int64_t down = tap / task.kernel_size - task.radius();
  for (int64_t rate : task.rates) {
    const int64_t row = y - down * rate;
    if (row >= strip.begin && row < strip.end) return true;
  }
  return false;
}

// Fills a strip from the features of its image; `kernel`: of PackKernel.
inline void ConvolveStrip(const Task& task, const float* features, const float* kernel,
                          const Strip& strip) {
  const winograd::Sizes& s = task.sizes;
  const int64_t row_elements = s.width * s.filters;
  for (float* output : strip.outputs) {
    std::fill(output + strip.begin * row_elements, output + strip.end * row_elements,
              0.0f);
  }
  Scratch scratch(task);
  const auto multiply = s.panel_vectors() == 3 ? MultiplyTap<3> : MultiplyTap<2>;
  const int64_t top = std::max<int64_t>(0, strip.begin - task.reach());
  const int64_t bottom = std::min(s.height, strip.end + task.reach());
  for (int64_t y = top; y < bottom; ++y) {
    for (int64_t x = 0; x < s.width; x += kPixels) {
      const int64_t count = std::min<int64_t>(kPixels, s.width - x);
      std::copy_n(features + (y * s.width + x) * s.channels, count * s.channels,
                  scratch.pixels.data());
      for (int64_t tap = 0; tap < task.taps(); ++tap) {
        if (!Reaches(task, strip, tap, y)) continue;
        multiply(task, kernel, tap, &scratch);
        AddShifted(task, strip, tap, y, x, count, scratch.products.data());
      }
    }
  }
}

}  // namespace shared_dilations
}  // namespace tf_defocus

#endif  // TF_DEFOCUS_SHARED_DILATIONS_H_
