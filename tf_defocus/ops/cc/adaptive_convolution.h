// What the CPU and the CUDA arithmetic of the adaptive convolution share: the sizes of
// one step, where a pixel's filters lie, and which taps read a pixel when border pixels
// are repeated. Nothing here knows TensorFlow.

#ifndef TF_DEFOCUS_ADAPTIVE_CONVOLUTION_H_
#define TF_DEFOCUS_ADAPTIVE_CONVOLUTION_H_

#include <cstdint>

#ifdef __CUDACC__
#define TF_DEFOCUS_HOST_DEVICE __host__ __device__
#else
#define TF_DEFOCUS_HOST_DEVICE
#endif

namespace tf_defocus {

// One iteration: out = lrelu(features * vertical * horizontal + bias) [IFAN Eq. 1].
struct Step {
  int64_t batch;
  int64_t height;
  int64_t width;
  int64_t channels;
  int64_t filter_size;  // odd
  float negative_slope;
  bool reuse_vertical;  // the horizontal pass takes the vertical filter

  TF_DEFOCUS_HOST_DEVICE int64_t radius() const { return filter_size / 2; }
  TF_DEFOCUS_HOST_DEVICE int64_t rows() const { return batch * height; }
  TF_DEFOCUS_HOST_DEVICE int64_t row_elements() const { return width * channels; }
  // A pixel's filters: vertical taps, horizontal taps, bias; channels run fastest.
  TF_DEFOCUS_HOST_DEVICE int64_t taps() const { return filter_size * channels; }
  TF_DEFOCUS_HOST_DEVICE int64_t pixel_filters() const {
    return 2 * taps() + channels;
  }
  TF_DEFOCUS_HOST_DEVICE int64_t horizontal_offset() const {
    return reuse_vertical ? 0 : taps();
  }
  TF_DEFOCUS_HOST_DEVICE int64_t bias_offset() const { return 2 * taps(); }
};

TF_DEFOCUS_HOST_DEVICE inline int64_t Clamp(int64_t position, int64_t size) {
  return position < 0 ? 0 : (position < size ? position : size - 1);
}

// Calls visit(source, tap) for every filter at `source` whose tap reads `position`,
// that is Clamp(source + tap - radius, size) == position.
template <typename Visit>
TF_DEFOCUS_HOST_DEVICE inline void VisitReaders(int64_t position, int64_t size,
                                                int64_t radius, Visit visit) {
  const int64_t first = position > radius ? position - radius : 0;
  const int64_t end = position + radius + 1 < size ? position + radius + 1 : size;
  for (int64_t source = first; source < end; ++source) {
    visit(source, position - source + radius);
  }
  if (position == 0) {  // taps that fall before the first pixel
    for (int64_t source = 0; source < radius && source < size; ++source) {
      for (int64_t tap = 0; tap < radius - source; ++tap) visit(source, tap);
    }
  }
  if (position == size - 1) {  // taps that fall behind the last one
    for (int64_t source = size > radius ? size - radius : 0; source < size; ++source) {
      for (int64_t tap = size - source + radius; tap <= 2 * radius; ++tap) {
        visit(source, tap);
      }
    }
  }
}

}  // namespace tf_defocus

#endif  // TF_DEFOCUS_ADAPTIVE_CONVOLUTION_H_
