// Convolutions by Winograd's minimal filtering on a CPU: of 3x3 kernels F(4x4, 3x3), of
// 5x5 kernels F(2x2, 5x5).
//
//   Y = A' [ (G k G') . (B' d B) ] A
//
// d: 6x6 pixels of the input, k: the kernel, Y: 4x4 (2x2) pixels of the output. The
// products in between are matrix products over channels, one for each of the 36 points,
// and take 36 multiply-adds where the definition takes 144 (100). Lavin and Gray, "Fast
// Algorithms for Convolutional Neural Networks", CVPR 2016, Sec. 4.3. Both have the same
// points (0, 1, -1, 2, -2 and infinity), so B is one.
//
// Images are (batch, height, width, channels); a vector holds neighbouring channels.
// Some tiles of a row are taken from input to output before the next, so that what lies
// between stays in the second cache.

#ifndef TF_DEFOCUS_WINOGRAD_H_
#define TF_DEFOCUS_WINOGRAD_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tf_defocus {
namespace winograd {

#ifdef __AVX512F__
constexpr int kLanes = 16;
constexpr int kAccumulators = 24;  // vectors that the registers hold beside two others
#else
constexpr int kLanes = 8;
constexpr int kAccumulators = 12;
#endif
constexpr int kIn = 6, kPoints = kIn * kIn;  // of a tile
constexpr int kTiles = 24;  // taken together; the rows of a product divide it

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

struct Sizes {
  int64_t batch, height, width, channels, filters;
  int64_t kernel_size = 3;  // or 5

  int64_t out() const { return kIn + 1 - kernel_size; }  // a tile's rows of the output
  int64_t tile_rows() const { return (height + out() - 1) / out(); }
  int64_t tile_columns() const { return (width + out() - 1) / out(); }
  int64_t row_blocks() const { return (tile_columns() + kTiles - 1) / kTiles; }
  int64_t blocks() const { return batch * tile_rows() * row_blocks(); }
  int64_t padded_channels() const { return (channels + kLanes - 1) / kLanes * kLanes; }
  // Vectors of filters computed together: two, or three where two leave one empty.
  int panel_vectors() const {
    const int64_t vectors = (filters + kLanes - 1) / kLanes;
    return vectors % 2 == 1 && vectors % 3 == 0 ? 3 : 2;
  }
  int64_t panel() const { return panel_vectors() * kLanes; }
  int64_t panels() const { return (filters + panel() - 1) / panel(); }
  int64_t kernel_elements() const { return panels() * kPoints * channels * panel(); }
  // Of one point; the odd vector keeps points out of each other's place in the cache.
  int64_t input_stride() const { return kTiles * padded_channels() + kLanes; }
  int64_t product_stride() const { return kTiles * panel() + kLanes; }
};

// What follows the convolution: + bias, + addend, leaky ReLU.
struct Epilogue {
  const float* bias;    // (filters), or null
  const float* addend;  // the outputs' shape, or null
  float slope;          // below zero; 1: no activation
};

inline Vector Load(const float* source, int64_t count = kLanes) {
  Vector value = {};
  if (count >= kLanes) {
    std::memcpy(&value, source, sizeof(value));
  } else {
    for (int64_t i = 0; i < count; ++i) value[i] = source[i];
  }
  return value;
}

inline void Store(const Vector& value, float* target, int64_t count = kLanes) {
  if (count >= kLanes) {
    std::memcpy(target, &value, sizeof(value));
  } else {
    for (int64_t i = 0; i < count; ++i) target[i] = value[i];
  }
}

// One dimension of G k, of B' d and of A' m; `step` lies between neighbouring values.
template <int kTaps>
inline void TransformKernel(const Vector* k, int step, Vector* out, int out_step) {
  Vector near[2] = {}, far[2] = {};  // of even and of odd taps, at points 1 and 2
  float power = 1;
  for (int i = 0; i < kTaps; ++i, power *= 2) {
    near[i % 2] += k[i * step];
    far[i % 2] += power * k[i * step];
  }
  out[0] = k[0] / 4;
  out[out_step] = (near[0] + near[1]) / -6;
  out[2 * out_step] = (near[1] - near[0]) / 6;
  out[3 * out_step] = (far[0] + far[1]) / 24;
  out[4 * out_step] = (far[0] - far[1]) / 24;
  out[5 * out_step] = k[(kTaps - 1) * step];
}

inline void TransformInput(const Vector* d, int step, Vector* out, int out_step) {
  const Vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
  const Vector d4 = d[4 * step], d5 = d[5 * step];
  const Vector even = d4 - 4 * d2, odd = d3 - 4 * d1;
  const Vector far = d4 - d2, near = 2 * (d3 - d1);
  out[0] = 4 * d0 - 5 * d2 + d4;
  out[out_step] = even + odd;
  out[2 * out_step] = even - odd;
  out[3 * out_step] = far + near;
  out[4 * out_step] = far - near;
  out[5 * out_step] = 4 * d1 - 5 * d3 + d5;
}

template <int kOut>
inline void TransformOutput(const Vector* m, int step, Vector* out, int out_step) {
  const Vector sum1 = m[step] + m[2 * step], sum2 = m[3 * step] + m[4 * step];
  const Vector gap1 = m[step] - m[2 * step], gap2 = m[3 * step] - m[4 * step];
  out[0] = m[0] + sum1 + sum2;
  out[out_step] = gap1 + 2 * gap2;
  if constexpr (kOut == 4) {
    out[2 * out_step] = sum1 + 4 * sum2;
    out[3 * out_step] = gap1 + 8 * gap2;
  }
  out[(kOut - 1) * out_step] += m[5 * step];
}

// (kTaps, kTaps, channels, filters) to (panels, 36, channels, panel), zeros beyond
// filters; input channels [begin, end).
template <int kTaps>
inline void TransformKernels(const Sizes& s, const float* kernel, int64_t begin,
                             int64_t end, float* out) {
  const int64_t width = s.panel();
  for (int64_t c = begin; c < end; ++c) {
    for (int64_t f = 0; f < s.panels() * width; f += kLanes) {
      Vector k[kTaps * kTaps], half[kIn * kTaps], points[kPoints];
      for (int i = 0; i < kTaps * kTaps; ++i) {
        k[i] = Load(kernel + (i * s.channels + c) * s.filters + f, s.filters - f);
      }
      for (int x = 0; x < kTaps; ++x) {
        TransformKernel<kTaps>(k + x, kTaps, half + x, kTaps);
      }
      for (int y = 0; y < kIn; ++y) {
        TransformKernel<kTaps>(half + y * kTaps, 1, points + y * kIn, 1);
      }
      float* panel = out + f / width * kPoints * s.channels * width + f % width;
      for (int p = 0; p < kPoints; ++p) {
        Store(points[p], panel + (p * s.channels + c) * width);
      }
    }
  }
}

// Where the work is: `count` tiles of one row of tiles, from (row, column) on [tiles].
struct Block {
  int64_t image, row, column, count;
};

inline Block BlockAt(const Sizes& s, int64_t index) {
  const int64_t column = index % s.row_blocks() * kTiles;
  const int64_t row = index / s.row_blocks();
  return {row / s.tile_rows(), row % s.tile_rows(), column,
          std::min<int64_t>(kTiles, s.tile_columns() - column)};
}

// B' d B of one tile, whose 36 pixels are given, to out[point * input_stride].
inline void TransformTile(const Sizes& s, const float* const* pixels, float* out) {
  for (int64_t c = 0; c < s.channels; c += kLanes) {
    Vector d[kPoints], half[kPoints], points[kPoints];
    for (int i = 0; i < kPoints; ++i) d[i] = Load(pixels[i] + c, s.channels - c);
#pragma GCC unroll 6
    for (int x = 0; x < kIn; ++x) TransformInput(d + x, kIn, half + x, kIn);
#pragma GCC unroll 6
    for (int y = 0; y < kIn; ++y) {
      TransformInput(half + y * kIn, 1, points + y * kIn, 1);
    }
    for (int i = 0; i < kPoints; ++i) Store(points[i], out + i * s.input_stride() + c);
  }
}

inline void TransformBlock(const Sizes& s, const Block& block, const float* features,
                           const float* zeros, float* out) {
  const float* image = features + block.image * s.height * s.width * s.channels;
  const float* pixels[kPoints];
  for (int64_t t = 0; t < block.count; ++t) {
    for (int i = 0; i < kPoints; ++i) {
      const int64_t y = block.row * s.out() - s.kernel_size / 2 + i / kIn;
      const int64_t x = (block.column + t) * s.out() - s.kernel_size / 2 + i % kIn;
      const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
      pixels[i] = inside ? image + (y * s.width + x) * s.channels : zeros;
    }
    TransformTile(s, pixels, out + t * s.padded_channels());
  }
}

// out[r][:] = sum_c a[r][c] b[c][:], as many rows as accumulators allow; the rows of a
// and of out begin at multiples of their steps.
template <int kVectors>
inline void Multiply(const float* __restrict a, int64_t row_step, int64_t channels,
                     const float* __restrict b, float* __restrict out,
                     int64_t out_step) {
  constexpr int kRows = kAccumulators / kVectors, kWidth = kVectors * kLanes;
  Vector sum[kRows][kVectors] = {};
  for (int64_t c = 0; c < channels; ++c) {
    Vector columns[kVectors];
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) columns[v] = Load(b + c * kWidth + v * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const float value = a[r * row_step + c];
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) sum[r][v] += value * columns[v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) Store(sum[r][v], out + r * out_step + v * kLanes);
  }
}

// The products of all points, of one panel of filters and `count` tiles.
template <int kVectors>
inline void MultiplyPoints(const Sizes& s, int64_t count, const float* inputs,
                           const float* kernels, float* products) {
  const int64_t channels = s.padded_channels();
  for (int p = 0; p < kPoints; ++p) {
    for (int64_t t = 0; t < count; t += kAccumulators / kVectors) {
      Multiply<kVectors>(inputs + p * s.input_stride() + t * channels, channels,
                         s.channels, kernels + p * s.channels * s.panel(),
                         products + p * s.product_stride() + t * s.panel(), s.panel());
    }
  }
}

// A' m A of one tile and one vector of filters, with all that follows, to the image.
template <int kOut>
inline void FinishTile(const Sizes& s, const Epilogue& epilogue, const float* products,
                       int64_t image, int64_t y, int64_t x, int64_t filter, float* out) {
  Vector m[kPoints], half[kOut * kIn], values[kOut * kOut];
  for (int i = 0; i < kPoints; ++i) m[i] = Load(products + i * s.product_stride());
#pragma GCC unroll 6
  for (int i = 0; i < kIn; ++i) TransformOutput<kOut>(m + i, kIn, half + i, kIn);
#pragma GCC unroll 4
  for (int i = 0; i < kOut; ++i) {
    TransformOutput<kOut>(half + i * kIn, 1, values + i * kOut, 1);
  }
  const int64_t count = s.filters - filter;
  const Vector bias = epilogue.bias ? Load(epilogue.bias + filter, count) : Vector{};
  for (int i = 0; i < kOut * kOut; ++i) {
    const int64_t row = y + i / kOut, column = x + i % kOut;
    if (row >= s.height || column >= s.width) continue;
    const int64_t at = ((image * s.height + row) * s.width + column) * s.filters + filter;
    Vector value = values[i] + bias;
    if (epilogue.addend) value += Load(epilogue.addend + at, count);
    if (epilogue.slope != 1) value = value > 0 ? value : epilogue.slope * value;
    Store(value, out + at, count);
  }
}

// The tiles of a block, for the filters of one panel.
template <int kOut>
inline void FinishPanel(const Sizes& s, const Epilogue& epilogue, const Block& block,
                        int64_t first, const float* products, float* out) {
  const int64_t end = std::min(s.filters, first + s.panel());
  for (int64_t t = 0; t < block.count; ++t) {
    for (int64_t filter = first; filter < end; filter += kLanes) {
      FinishTile<kOut>(s, epilogue, products + t * s.panel() + filter - first,
                       block.image, block.row * kOut, (block.column + t) * kOut, filter,
                       out);
    }
  }
}

// Working memory of one thread.
struct Scratch {
  std::vector<float> zeros, inputs, products;

  explicit Scratch(const Sizes& s)
      : zeros(s.channels),
        inputs(kPoints * s.input_stride()),
        products(kPoints * s.product_stride()) {}
};

// Blocks [begin, end) of the output. `kernels`: of TransformKernels.
inline void ConvolveBlocks(const Sizes& s, const float* features, const float* kernels,
                           const Epilogue& epilogue, float* out, int64_t begin,
                           int64_t end) {
  Scratch scratch(s);
  for (int64_t index = begin; index < end; ++index) {
    const Block block = BlockAt(s, index);
    TransformBlock(s, block, features, scratch.zeros.data(), scratch.inputs.data());
    for (int64_t panel = 0; panel < s.panels(); ++panel) {
      const auto multiply =
          s.panel_vectors() == 3 ? MultiplyPoints<3> : MultiplyPoints<2>;
      multiply(s, block.count, scratch.inputs.data(),
               kernels + panel * kPoints * s.channels * s.panel(),
               scratch.products.data());
      const auto finish = s.kernel_size == 5 ? FinishPanel<2> : FinishPanel<4>;
      finish(s, epilogue, block, panel * s.panel(), scratch.products.data(), out);
    }
  }
}

}  // namespace winograd
}  // namespace tf_defocus

#endif  // TF_DEFOCUS_WINOGRAD_H_
