// The adaptive convolution, one (pixel, channel) at a time, as a CUDA thread computes
// it. Free of CUDA itself: a C++ compiler takes it too, which is how it is tested.

#ifndef TF_DEFOCUS_ADAPTIVE_CONVOLUTION_ELEMENT_H_
#define TF_DEFOCUS_ADAPTIVE_CONVOLUTION_ELEMENT_H_

#include "adaptive_convolution.h"

namespace tf_defocus {

// Where an element lies, from its number in (batch, height, width, channels).
struct Element {
  int64_t channel, x, y, image;  // image: number of its first row

  TF_DEFOCUS_HOST_DEVICE Element(const Step& step, int64_t index) {
    channel = index % step.channels;
    index /= step.channels;
    x = index % step.width;
    index /= step.width;
    y = index % step.height;
    image = index - y;
  }
  TF_DEFOCUS_HOST_DEVICE int64_t At(const Step& step, int64_t y, int64_t x) const {
    return ((image + y) * step.width + x) * step.channels + channel;
  }
  TF_DEFOCUS_HOST_DEVICE int64_t Filter(const Step& step, int64_t y, int64_t x,
                                        int64_t offset) const {
    return ((image + y) * step.width + x) * step.pixel_filters() + offset + channel;
  }
};

template <typename T>
TF_DEFOCUS_HOST_DEVICE float VerticalElement(const Step& step, const T* features,
                                             const T* filters, int64_t index) {
  const Element at(step, index);
  float sum = 0;
  for (int64_t tap = 0; tap < step.filter_size; ++tap) {
    const int64_t row = Clamp(at.y + tap - step.radius(), step.height);
    sum += static_cast<float>(features[at.At(step, row, at.x)]) *
           static_cast<float>(filters[at.Filter(step, at.y, at.x, tap * step.channels)]);
  }
  return sum;
}

template <typename T>
TF_DEFOCUS_HOST_DEVICE float OutputElement(const Step& step, const float* vertical,
                                           const T* filters, int64_t index) {
  const Element at(step, index);
  float sum =
      static_cast<float>(filters[at.Filter(step, at.y, at.x, step.bias_offset())]);
  for (int64_t tap = 0; tap < step.filter_size; ++tap) {
    const int64_t column = Clamp(at.x + tap - step.radius(), step.width);
    const int64_t offset = step.horizontal_offset() + tap * step.channels;
    sum += vertical[at.At(step, at.y, column)] *
           static_cast<float>(filters[at.Filter(step, at.y, at.x, offset)]);
  }
  return sum > 0 ? sum : step.negative_slope * sum;
}

// Gradient before the activation.
template <typename T>
TF_DEFOCUS_HOST_DEVICE float DeltaElement(const Step& step, const T* outputs,
                                          const T* gradients, int64_t index) {
  // The leaky ReLU keeps the sign, so its output tells its slope.
  const bool positive = static_cast<float>(outputs[index]) > 0;
  return static_cast<float>(gradients[index]) *
         (positive ? 1.0f : step.negative_slope);
}

// Gradient of what the vertical pass gave.
template <typename T>
TF_DEFOCUS_HOST_DEVICE float VerticalGradientElement(const Step& step,
                                                     const T* filters,
                                                     const T* outputs,
                                                     const T* gradients,
                                                     int64_t index) {
  const Element at(step, index);
  float sum = 0;
  VisitReaders(at.x, step.width, step.radius(), [&](int64_t column, int64_t tap) {
    const int64_t offset = step.horizontal_offset() + tap * step.channels;
    sum += DeltaElement(step, outputs, gradients, at.At(step, at.y, column)) *
           static_cast<float>(filters[at.Filter(step, at.y, column, offset)]);
  });
  return sum;
}

// All filters of one pixel and channel.
template <typename T>
TF_DEFOCUS_HOST_DEVICE void FilterGradientElement(
    const Step& step, const T* features, const T* outputs, const T* gradients,
    const float* vertical, const float* vertical_gradients, T* filters_gradients,
    int64_t index) {
  const Element at(step, index);
  const float delta = DeltaElement(step, outputs, gradients, index);
  const float vertical_delta = vertical_gradients[index];
  for (int64_t tap = 0; tap < step.filter_size; ++tap) {
    const int64_t row = Clamp(at.y + tap - step.radius(), step.height);
    const int64_t column = Clamp(at.x + tap - step.radius(), step.width);
    const float down =
        vertical_delta * static_cast<float>(features[at.At(step, row, at.x)]);
    const float across = delta * vertical[at.At(step, at.y, column)];
    const int64_t first = at.Filter(step, at.y, at.x, tap * step.channels);
    filters_gradients[first] =
        static_cast<T>(step.reuse_vertical ? down + across : down);
    filters_gradients[first + step.taps()] =
        static_cast<T>(step.reuse_vertical ? 0.0f : across);
  }
  filters_gradients[at.Filter(step, at.y, at.x, step.bias_offset())] =
      static_cast<T>(delta);
}

template <typename T>
TF_DEFOCUS_HOST_DEVICE float FeatureGradientElement(const Step& step, const T* filters,
                                                    const float* vertical_gradients,
                                                    int64_t index) {
  const Element at(step, index);
  float sum = 0;
  VisitReaders(at.y, step.height, step.radius(), [&](int64_t row, int64_t tap) {
    sum += vertical_gradients[at.At(step, row, at.x)] *
           static_cast<float>(filters[at.Filter(step, row, at.x, tap * step.channels)]);
  });
  return sum;
}

}  // namespace tf_defocus

#endif  // TF_DEFOCUS_ADAPTIVE_CONVOLUTION_ELEMENT_H_
