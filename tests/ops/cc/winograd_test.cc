// The arithmetic of winograd.h without TensorFlow, against the sum over a window. Prints
// the largest errors; exits 1 if one is too large.

#include "winograd.h"

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

namespace {

using tf_defocus::winograd::Epilogue;
using tf_defocus::winograd::Sizes;
using tf_defocus::winograd::TransformKernels;
using Values = std::vector<float>;

constexpr double kTolerance = 4e-5;  // of values of about 1

Values Random(int64_t count, float scale, std::mt19937* generator) {
  std::normal_distribution<float> normal(0, scale);
  Values values(count);
  for (float& value : values) value = normal(*generator);
  return values;
}

double At(const Sizes& s, const Values& features, const Values& kernel, int64_t image,
          int64_t y, int64_t x, int64_t filter) {
  double sum = 0;
  const int64_t size = s.kernel_size, reach = size / 2;
  for (int64_t tap = 0; tap < size * size; ++tap) {
    const int64_t row = y + tap / size - reach, column = x + tap % size - reach;
    if (row < 0 || column < 0 || row >= s.height || column >= s.width) continue;
    const int64_t pixel = (image * s.height + row) * s.width + column;
    for (int64_t c = 0; c < s.channels; ++c) {
      sum += double(features[pixel * s.channels + c]) *
             kernel[(tap * s.channels + c) * s.filters + filter];
    }
  }
  return sum;
}

double LargestError(const Sizes& s, bool adds, float slope, std::mt19937* generator) {
  const int64_t pixels = s.batch * s.height * s.width;
  const int64_t taps = s.kernel_size * s.kernel_size;
  const Values features = Random(pixels * s.channels, 1, generator);
  const Values kernel = Random(taps * s.channels * s.filters,
                               1 / std::sqrt(float(taps * s.channels)), generator);
  const Values bias = Random(s.filters, 1, generator);
  Values out = Random(pixels * s.filters, 1, generator);  // the addend, overwritten
  const Values addend = out;
  Values points(s.kernel_elements());
  const auto transform = s.kernel_size == 5 ? TransformKernels<5> : TransformKernels<3>;
  transform(s, kernel.data(), 0, s.channels, points.data());
  const Epilogue epilogue{bias.data(), adds ? out.data() : nullptr, slope};
  const int64_t middle = s.blocks() / 2;  // as two threads would
  ConvolveBlocks(s, features.data(), points.data(), epilogue, out.data(), middle,
                 s.blocks());
  ConvolveBlocks(s, features.data(), points.data(), epilogue, out.data(), 0, middle);
  double error = 0;
  for (int64_t i = 0; i < pixels * s.filters; ++i) {
    const int64_t filter = i % s.filters, x = i / s.filters % s.width;
    const int64_t row = i / s.filters / s.width;
    double want = At(s, features, kernel, row / s.height, row % s.height, x, filter);
    want += bias[filter] + (adds ? addend[i] : 0);
    if (want < 0) want *= slope;
    if (!(std::abs(want - out[i]) <= error)) error = std::abs(want - out[i]);
  }
  return error;
}

}  // namespace

int main() {
  std::mt19937 generator(7);
  const Sizes sizes[] = {{1, 1, 1, 16, 16}, {2, 5, 7, 17, 33}, {1, 9, 130, 48, 16},
                         {1, 12, 8, 64, 70},  {1, 1, 1, 16, 16, 5}, {2, 5, 7, 17, 33, 5},
                         {1, 9, 70, 48, 16, 5}};
  bool good = true;
  for (const Sizes& s : sizes) {
    for (bool adds : {false, true}) {
      for (float slope : {0.0f, 0.2f, 1.0f}) {
        const double error = LargestError(s, adds, slope, &generator);
        good = good && error <= kTolerance;
        std::printf("%lldx%lldx%lldx%lld to %lld kernel %lld adds %d slope %.1f: %.1e\n",
                    (long long)s.batch, (long long)s.height, (long long)s.width,
                    (long long)s.channels, (long long)s.filters,
                    (long long)s.kernel_size, adds, slope, error);
      }
    }
  }
  return good ? 0 : 1;
}
