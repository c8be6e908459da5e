// CUDA kernels of the adaptive convolution: one thread per (pixel, channel), channels
// fastest, so that neighbouring threads read neighbouring numbers.

#include "adaptive_convolution_cuda.h"

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "adaptive_convolution_element.h"

namespace tf_defocus {
namespace {

constexpr int kThreads = 256;

template <typename Work>
__global__ void ForElements(int64_t count, Work work) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < count; i += stride) {
    work(i);
  }
}

template <typename Work>
void Launch(const Step& step, cudaStream_t stream, Work work) {
  const int64_t count = step.rows() * step.row_elements();
  const int64_t blocks = (count + kThreads - 1) / kThreads;
  const int grid = static_cast<int>(blocks < (1 << 20) ? blocks : (1 << 20));
  ForElements<<<grid, kThreads, 0, stream>>>(count, work);
}

const char* LastError() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

template <typename T>
void Forward(const Step& step, const T* features, const T* filters, float* vertical,
             T* outputs, cudaStream_t stream) {
  Launch(step, stream, [=] __device__(int64_t i) {
    vertical[i] = VerticalElement(step, features, filters, i);
  });
  Launch(step, stream, [=] __device__(int64_t i) {
    outputs[i] = static_cast<T>(OutputElement(step, vertical, filters, i));
  });
}

template <typename T>
void Backward(const Step& step, const T* features, const T* filters, const T* outputs,
              const T* gradients, float* vertical, float* vertical_gradients,
              T* features_gradients, T* filters_gradients, cudaStream_t stream) {
  Launch(step, stream, [=] __device__(int64_t i) {
    vertical[i] = VerticalElement(step, features, filters, i);
    vertical_gradients[i] =
        VerticalGradientElement(step, filters, outputs, gradients, i);
  });
  Launch(step, stream, [=] __device__(int64_t i) {
    FilterGradientElement(step, features, outputs, gradients, vertical,
                          vertical_gradients, filters_gradients, i);
    features_gradients[i] =
        static_cast<T>(FeatureGradientElement(step, filters, vertical_gradients, i));
  });
}

}  // namespace

const char* LaunchForward(const Step& step, bool is_bfloat16, const void* features,
                          const void* filters, float* vertical, void* outputs,
                          void* stream) {
  const auto launch = [&](auto zero) {
    using T = decltype(zero);
    Forward(step, static_cast<const T*>(features), static_cast<const T*>(filters),
            vertical, static_cast<T*>(outputs), static_cast<cudaStream_t>(stream));
  };
  is_bfloat16 ? launch(__nv_bfloat16()) : launch(0.0f);
  return LastError();
}

const char* LaunchBackward(const Step& step, bool is_bfloat16, const void* features,
                           const void* filters, const void* outputs,
                           const void* gradients, float* vertical,
                           float* vertical_gradients, void* features_gradients,
                           void* filters_gradients, void* stream) {
  const auto launch = [&](auto zero) {
    using T = decltype(zero);
    Backward(step, static_cast<const T*>(features), static_cast<const T*>(filters),
             static_cast<const T*>(outputs), static_cast<const T*>(gradients), vertical,
             vertical_gradients, static_cast<T*>(features_gradients),
             static_cast<T*>(filters_gradients), static_cast<cudaStream_t>(stream));
  };
  is_bfloat16 ? launch(__nv_bfloat16()) : launch(0.0f);
  return LastError();
}

}  // namespace tf_defocus
