// The arithmetic of shared_dilations.h without TensorFlow, against the sum over a window.
// Prints the largest errors; exits 1 if one is too large.

#include "shared_dilations.h"

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

namespace {

using tf_defocus::shared_dilations::Strip;
using tf_defocus::shared_dilations::Task;
using Values = std::vector<float>;

Values Random(int64_t count, float scale, std::mt19937* generator) {
  std::normal_distribution<float> normal(0, scale);
  Values values(count);
  for (float& value : values) value = normal(*generator);
  return values;
}

double LargestError(const Task& task, std::mt19937* generator) {
  const auto& s = task.sizes;
  const Values features = Random(s.height * s.width * s.channels, 1, generator);
  const float scale = 1 / std::sqrt(float(task.taps() * s.channels));
  const Values kernel = Random(task.taps() * s.channels * s.filters, scale, generator);
  Values packed(task.kernel_elements());
  PackKernel(task, kernel.data(), packed.data());
  std::vector<Values> outputs;
  std::vector<float*> pointers;
  for (size_t i = 0; i < task.rates.size(); ++i) {
    outputs.push_back(Random(s.height * s.width * s.filters, 1, generator));
  }
  for (Values& output : outputs) pointers.push_back(output.data());
  ConvolveStrip(task, features.data(), packed.data(), {0, s.height / 3, pointers});
  ConvolveStrip(task, features.data(), packed.data(), {s.height / 3, s.height, pointers});
  double error = 0;
  for (size_t r = 0; r < task.rates.size(); ++r) {
    for (int64_t i = 0; i < s.height * s.width * s.filters; ++i) {
      double sum = 0;
      for (int64_t tap = 0; tap < task.taps(); ++tap) {
        const int64_t y = i / s.filters / s.width +
                          (tap / task.kernel_size - task.radius()) * task.rates[r];
        const int64_t x = i / s.filters % s.width +
                          (tap % task.kernel_size - task.radius()) * task.rates[r];
        if (y < 0 || x < 0 || y >= s.height || x >= s.width) continue;
        for (int64_t c = 0; c < s.channels; ++c) {
          sum += double(features[(y * s.width + x) * s.channels + c]) *
                 kernel[(tap * s.channels + c) * s.filters + i % s.filters];
        }
      }
      if (!(std::abs(sum - outputs[r][i]) <= error)) error = std::abs(sum - outputs[r][i]);
    }
  }
  return error;
}

}  // namespace

int main() {
  std::mt19937 generator(7);
  const Task tasks[] = {{{1, 1, 1, 16, 16}, 3, {1}},
                        {{1, 13, 30, 20, 48}, 5, {1, 2, 3, 4, 5}},
                        {{1, 9, 26, 7, 35}, 3, {2, 9}}};
  bool good = true;
  for (const Task& task : tasks) {
    const double error = LargestError(task, &generator);
    good = good && error <= 1e-5;
    std::printf("%lldx%lldx%lld to %lld: %.1e\n", (long long)task.sizes.height,
                (long long)task.sizes.width, (long long)task.sizes.channels,
                (long long)task.sizes.filters, error);
  }
  return good ? 0 : 1;
}
