// The arithmetic of the adaptive convolution without TensorFlow: the CPU's rows and the
// GPU's elements against loops that follow the definition. Prints the largest errors;
// exits 1 if one is too large.

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "adaptive_convolution_cpu.h"
#include "adaptive_convolution_element.h"

namespace {

using tf_defocus::Clamp;
using tf_defocus::Step;
using Values = std::vector<float>;

constexpr double kTolerance = 1e-5;

Values Random(int64_t count, float scale, std::mt19937* generator) {
  std::normal_distribution<float> normal(0, scale);
  Values values(count);
  for (float& value : values) value = normal(*generator);
  return values;
}

struct Result {
  Values outputs, features_gradients, filters_gradients;
};

// The definition: every product is visited once, and scatters its gradients.
Result Naive(const Step& s, const Values& features, const Values& filters,
             const Values& gradients) {
  const int64_t count = s.rows() * s.row_elements(), r = s.radius();
  std::vector<double> vertical(count), before(count), delta(count);
  std::vector<double> vertical_gradient(count), feature(count), filter(filters.size());
  const auto visit = [&](auto each) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t c = i % s.channels, pixel = i / s.channels;
      const int64_t x = pixel % s.width, row = pixel / s.width, y = row % s.height;
      for (int64_t t = 0; t < s.filter_size; ++t) {
        const int64_t up = row - y + Clamp(y + t - r, s.height);
        const int64_t side = row * s.width + Clamp(x + t - r, s.width);
        const int64_t weight = pixel * s.pixel_filters() + t * s.channels + c;
        each(i, (up * s.width + x) * s.channels + c, side * s.channels + c, weight,
             weight + s.horizontal_offset());
      }
    }
  };
  visit([&](int64_t i, int64_t up, int64_t, int64_t k1, int64_t) {
    vertical[i] += double(features[up]) * filters[k1];
  });
  visit([&](int64_t i, int64_t, int64_t side, int64_t, int64_t k2) {
    before[i] += vertical[side] * filters[k2];
  });
  Result result{Values(count), Values(count), Values(filters.size())};
  for (int64_t i = 0; i < count; ++i) {
    const int64_t bias =
        i / s.channels * s.pixel_filters() + s.bias_offset() + i % s.channels;
    before[i] += filters[bias];
    const double slope = before[i] > 0 ? 1 : s.negative_slope;
    result.outputs[i] = slope * before[i];
    delta[i] = slope * gradients[i];
    filter[bias] = delta[i];
  }
  visit([&](int64_t i, int64_t, int64_t side, int64_t, int64_t k2) {
    filter[k2] += delta[i] * vertical[side];
    vertical_gradient[side] += delta[i] * filters[k2];
  });
  visit([&](int64_t i, int64_t up, int64_t, int64_t k1, int64_t) {
    filter[k1] += vertical_gradient[i] * features[up];
    feature[up] += vertical_gradient[i] * filters[k1];
  });
  for (int64_t i = 0; i < count; ++i) result.features_gradients[i] = feature[i];
  for (size_t i = 0; i < filter.size(); ++i) result.filters_gradients[i] = filter[i];
  return result;
}

Result Rows(const Step& s, const Values& features, const Values& filters,
            const Values& gradients) {
  Result result{Values(features.size()), Values(features.size()),
                Values(filters.size(), NAN)};
  Values between(features.size());
  const int64_t half = s.rows() / 2;  // two shards, as two threads would
  for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, half}, {half, s.rows()}}) {
    tf_defocus::ForwardRows(s, features.data(), filters.data(), result.outputs.data(),
                            begin, end);
  }
  for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, half}, {half, s.rows()}}) {
    tf_defocus::FilterGradientRows(s, features.data(), filters.data(),
                                   result.outputs.data(), gradients.data(),
                                   between.data(), result.filters_gradients.data(),
                                   begin, end);
  }
  tf_defocus::FeatureGradientRows(s, filters.data(), between.data(),
                                  result.features_gradients.data(), 0, s.rows());
  return result;
}

Result Elements(const Step& s, const Values& features, const Values& filters,
                const Values& gradients) {
  const int64_t count = features.size();
  Result result{Values(count), Values(count), Values(filters.size(), NAN)};
  Values vertical(count), between(count);
  const float *in = features.data(), *weights = filters.data();
  const float *out = result.outputs.data(), *grad = gradients.data();
  for (int64_t i = 0; i < count; ++i) {
    vertical[i] = tf_defocus::VerticalElement(s, in, weights, i);
  }
  for (int64_t i = 0; i < count; ++i) {
    result.outputs[i] = tf_defocus::OutputElement(s, vertical.data(), weights, i);
  }
  for (int64_t i = 0; i < count; ++i) {
    between[i] = tf_defocus::VerticalGradientElement(s, weights, out, grad, i);
  }
  for (int64_t i = 0; i < count; ++i) {
    tf_defocus::FilterGradientElement(s, in, out, grad, vertical.data(), between.data(),
                                      result.filters_gradients.data(), i);
    result.features_gradients[i] =
        tf_defocus::FeatureGradientElement(s, weights, between.data(), i);
  }
  return result;
}

double Error(const Values& one, const Values& other) {
  double error = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    const double difference = std::abs(double(one[i]) - other[i]);
    if (!(difference <= error)) error = difference;  // NaN counts as an error
  }
  return error;
}

}  // namespace

int main() {
  std::mt19937 generator(7);
  const int64_t sizes[][4] = {{2, 5, 7, 4}, {1, 1, 9, 3}, {1, 6, 1, 17}, {1, 2, 2, 1}};
  bool good = true;
  for (const auto& size : sizes) {
    for (int64_t taps : {1, 3, 5, 7, 9}) {
      for (bool reuse : {false, true}) {
        const Step step{size[0], size[1], size[2], size[3], taps, 0.1f, reuse};
        const int64_t count = step.rows() * step.row_elements();
        const Values features = Random(count, 1, &generator);
        const Values filters =
            Random(step.rows() * step.width * step.pixel_filters(), 1.0f / taps,
                   &generator);
        const Values gradients = Random(count, 1, &generator);
        const Result want = Naive(step, features, filters, gradients);
        for (const Result& have : {Rows(step, features, filters, gradients),
                                   Elements(step, features, filters, gradients)}) {
          const double errors[] = {
              Error(have.outputs, want.outputs),
              Error(have.features_gradients, want.features_gradients),
              Error(have.filters_gradients, want.filters_gradients)};
          for (double error : errors) good = good && error <= kTolerance;
          std::printf("%lldx%lldx%lldx%lld taps %lld reuse %d: %.1e %.1e %.1e\n",
                      (long long)size[0], (long long)size[1], (long long)size[2],
                      (long long)size[3], (long long)taps, reuse, errors[0], errors[1],
                      errors[2]);
        }
      }
    }
  }
  return good ? 0 : 1;
}
