// The adaptive convolution on a CPU, row by row. T is float or a 16-bit type that
// converts to and from float; sums are in float. Innermost loops run over channels, with
// a constant number of taps for the usual sizes, so that compilers vectorise them.
//
// A row's filters are read once, in order: the vertical pass runs `radius` pixels ahead
// of the horizontal one.

#ifndef TF_DEFOCUS_ADAPTIVE_CONVOLUTION_CPU_H_
#define TF_DEFOCUS_ADAPTIVE_CONVOLUTION_CPU_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "adaptive_convolution.h"

namespace tf_defocus {

// sum[c] = sum over taps of source[tap][c] * filter[tap * channels + c].
template <int kTaps, typename Source, typename T>
inline void SumOfTaps(const Source* const* source, const T* __restrict filter,
                      int64_t channels, float* __restrict sum) {
  for (int64_t c = 0; c < channels; ++c) {
    float total = 0;
#pragma GCC unroll 7
    for (int tap = 0; tap < kTaps; ++tap) {
      total += static_cast<float>(source[tap][c]) *
               static_cast<float>(filter[tap * channels + c]);
    }
    sum[c] = total;
  }
}

template <typename Source, typename T>
inline void SumOfTaps(int64_t taps, const Source* const* source, const T* filter,
                      int64_t channels, float* __restrict sum) {
  if (taps == 3) return SumOfTaps<3>(source, filter, channels, sum);
  if (taps == 5) return SumOfTaps<5>(source, filter, channels, sum);
  if (taps == 7) return SumOfTaps<7>(source, filter, channels, sum);
  std::fill(sum, sum + channels, 0.0f);
  for (int64_t tap = 0; tap < taps; ++tap) {
    const Source* __restrict row = source[tap];
    const T* __restrict weights = filter + tap * channels;
    for (int64_t c = 0; c < channels; ++c) {
      sum[c] += static_cast<float>(row[c]) * static_cast<float>(weights[c]);
    }
  }
}

// Rows of one image that lie under the vertical taps of row `row` (batch * height + y).
template <typename T>
inline void RowsUnderTaps(const Step& step, const T* features, int64_t row,
                          std::vector<const T*>* rows) {
  const int64_t y = row % step.height;
  const int64_t image = row - y;
  rows->resize(step.filter_size);
  for (int64_t tap = 0; tap < step.filter_size; ++tap) {
    const int64_t source = image + Clamp(y + tap - step.radius(), step.height);
    (*rows)[tap] = features + source * step.row_elements();
  }
}

// Working memory of one thread.
template <typename T>
struct Scratch {
  std::vector<float> vertical;   // one row after the vertical pass
  std::vector<float> sum;        // one pixel
  std::vector<const T*> rows;    // of features, one per tap
  std::vector<const T*> pixels;  // of those rows
  std::vector<const float*> columns;

  explicit Scratch(const Step& step)
      : vertical(step.row_elements()),
        sum(step.channels),
        rows(step.filter_size),
        pixels(step.filter_size),
        columns(step.filter_size) {}
};

template <typename T>
inline void VerticalPixel(const Step& step, const T* filters, int64_t x,
                          Scratch<T>* scratch) {
  const int64_t offset = x * step.channels;
  for (int64_t tap = 0; tap < step.filter_size; ++tap) {
    scratch->pixels[tap] = scratch->rows[tap] + offset;
  }
  SumOfTaps(step.filter_size, scratch->pixels.data(),
            filters + x * step.pixel_filters(), step.channels,
            scratch->vertical.data() + offset);
}

template <typename T>
inline void HorizontalPixel(const Step& step, const T* filters, int64_t x,
                            Scratch<T>* scratch, T* __restrict out) {
  for (int64_t tap = 0; tap < step.filter_size; ++tap) {
    const int64_t column = Clamp(x + tap - step.radius(), step.width);
    scratch->columns[tap] = scratch->vertical.data() + column * step.channels;
  }
  const T* pixel = filters + x * step.pixel_filters();
  SumOfTaps(step.filter_size, scratch->columns.data(),
            pixel + step.horizontal_offset(), step.channels, scratch->sum.data());
  const T* __restrict bias = pixel + step.bias_offset();
  const float* __restrict sum = scratch->sum.data();
  // Both branches are at hand, so that compilers select between them and do not jump:
  // signs cannot be predicted, and a jump makes the whole step 2.5 times as slow.
  const float slope = step.negative_slope;
  for (int64_t c = 0; c < step.channels; ++c) {
    const float value = sum[c] + static_cast<float>(bias[c]);
    const float scaled = slope * value;
    out[c] = static_cast<T>(value > 0 ? value : scaled);
  }
}

// Rows [begin, end) of the output.
template <typename T>
void ForwardRows(const Step& step, const T* features, const T* filters, T* outputs,
                 int64_t begin, int64_t end) {
  Scratch<T> scratch(step);
  for (int64_t row = begin; row < end; ++row) {
    RowsUnderTaps(step, features, row, &scratch.rows);
    const T* row_filters = filters + row * step.width * step.pixel_filters();
    T* out = outputs + row * step.row_elements();
    for (int64_t x = 0; x < step.width + step.radius(); ++x) {
      if (x < step.width) VerticalPixel(step, row_filters, x, &scratch);
      const int64_t behind = x - step.radius();
      if (behind >= 0) {
        HorizontalPixel(step, row_filters, behind, &scratch,
                        out + behind * step.channels);
      }
    }
  }
}

// Horizontal filters and bias of one row; adds to the gradient of the vertical pass.
template <typename T>
inline void HorizontalGradients(const Step& step, const T* filters, const T* outputs,
                                const T* gradients, Scratch<T>* scratch,
                                float* vertical_gradients, T* filters_gradients) {
  const float slope = step.negative_slope;
  for (int64_t x = 0; x < step.width; ++x) {
    const int64_t offset = x * step.channels;
    const int64_t pixel = x * step.pixel_filters();
    T* __restrict bias = filters_gradients + pixel + step.bias_offset();
    float* __restrict delta = scratch->sum.data();
    for (int64_t c = 0; c < step.channels; ++c) {
      // The leaky ReLU keeps the sign, so its output tells its slope.
      const float gradient = static_cast<float>(gradients[offset + c]);
      const float scaled = slope * gradient;
      delta[c] = static_cast<float>(outputs[offset + c]) > 0 ? gradient : scaled;
      bias[c] = static_cast<T>(delta[c]);
    }
    const int64_t place = pixel + step.horizontal_offset();
    for (int64_t tap = 0; tap < step.filter_size; ++tap) {
      const int64_t column = Clamp(x + tap - step.radius(), step.width);
      const T* __restrict weights = filters + place + tap * step.channels;
      const float* __restrict values =
          scratch->vertical.data() + column * step.channels;
      float* __restrict read = vertical_gradients + column * step.channels;
      T* __restrict filter = filters_gradients + place + tap * step.channels;
      for (int64_t c = 0; c < step.channels; ++c) {
        filter[c] = static_cast<T>(delta[c] * values[c]);
        read[c] += delta[c] * static_cast<float>(weights[c]);
      }
    }
  }
}

// Vertical filters of one row, from the finished gradient of the vertical pass.
template <typename T>
inline void VerticalGradients(const Step& step, const Scratch<T>& scratch,
                              const float* vertical_gradients, T* filters_gradients) {
  for (int64_t x = 0; x < step.width; ++x) {
    const int64_t offset = x * step.channels;
    const float* __restrict delta = vertical_gradients + offset;
    for (int64_t tap = 0; tap < step.filter_size; ++tap) {
      const T* __restrict values = scratch.rows[tap] + offset;
      T* __restrict filter =
          filters_gradients + x * step.pixel_filters() + tap * step.channels;
      for (int64_t c = 0; c < step.channels; ++c) {
        const float gradient = delta[c] * static_cast<float>(values[c]);
        filter[c] = static_cast<T>(
            step.reuse_vertical ? gradient + static_cast<float>(filter[c]) : gradient);
      }
    }
    if (step.reuse_vertical) {  // the horizontal filter is not read
      T* unused = filters_gradients + x * step.pixel_filters() + step.taps();
      std::fill(unused, unused + step.taps(), static_cast<T>(0.0f));
    }
  }
}

// Rows [begin, end) of the filters' gradients, and of the gradient of what the vertical
// pass gave, which FeatureGradientRows needs of all rows.
template <typename T>
void FilterGradientRows(const Step& step, const T* features, const T* filters,
                        const T* outputs, const T* gradients,
                        float* vertical_gradients, T* filters_gradients,
                        int64_t begin, int64_t end) {
  Scratch<T> scratch(step);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t place = row * step.row_elements();
    const int64_t filters_place = row * step.width * step.pixel_filters();
    RowsUnderTaps(step, features, row, &scratch.rows);
    for (int64_t x = 0; x < step.width; ++x) {
      VerticalPixel(step, filters + filters_place, x, &scratch);
    }
    float* vertical = vertical_gradients + place;
    std::fill(vertical, vertical + step.row_elements(), 0.0f);
    HorizontalGradients(step, filters + filters_place, outputs + place,
                        gradients + place, &scratch, vertical,
                        filters_gradients + filters_place);
    VerticalGradients(step, scratch, vertical, filters_gradients + filters_place);
  }
}

// Rows [begin, end) of the features' gradients.
template <typename T>
void FeatureGradientRows(const Step& step, const T* filters,
                         const float* vertical_gradients, T* features_gradients,
                         int64_t begin, int64_t end) {
  std::vector<float> sum(step.row_elements());
  for (int64_t row = begin; row < end; ++row) {
    const int64_t y = row % step.height;
    const int64_t image = row - y;
    std::fill(sum.begin(), sum.end(), 0.0f);
    VisitReaders(y, step.height, step.radius(), [&](int64_t source, int64_t tap) {
      const int64_t reader = image + source;
      const float* gradients = vertical_gradients + reader * step.row_elements();
      const T* weights = filters + reader * step.width * step.pixel_filters();
      for (int64_t x = 0; x < step.width; ++x) {
        const float* __restrict delta = gradients + x * step.channels;
        const T* __restrict weight =
            weights + x * step.pixel_filters() + tap * step.channels;
        float* __restrict total = sum.data() + x * step.channels;
        for (int64_t c = 0; c < step.channels; ++c) {
          total[c] += delta[c] * static_cast<float>(weight[c]);
        }
      }
    });
    T* out = features_gradients + row * step.row_elements();
    for (int64_t i = 0; i < step.row_elements(); ++i) out[i] = static_cast<T>(sum[i]);
  }
}

}  // namespace tf_defocus

#endif  // TF_DEFOCUS_ADAPTIVE_CONVOLUTION_CPU_H_
