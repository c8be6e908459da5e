// Launchers of the CUDA kernels, callable from code that no CUDA compiler sees.
//
// Arrays lie on the device, float or (`is_bfloat16`) bfloat16; `vertical` and
// `vertical_gradients` are float working memory of the features' size; `stream` is a
// cudaStream_t. Returns null, or the message of the error that CUDA reports.

#ifndef TF_DEFOCUS_ADAPTIVE_CONVOLUTION_CUDA_H_
#define TF_DEFOCUS_ADAPTIVE_CONVOLUTION_CUDA_H_

#include "adaptive_convolution.h"

namespace tf_defocus {

const char* LaunchForward(const Step& step, bool is_bfloat16, const void* features,
                          const void* filters, float* vertical, void* outputs,
                          void* stream);

const char* LaunchBackward(const Step& step, bool is_bfloat16, const void* features,
                           const void* filters, const void* outputs,
                           const void* gradients, float* vertical,
                           float* vertical_gradients, void* features_gradients,
                           void* filters_gradients, void* stream);

}  // namespace tf_defocus

#endif  // TF_DEFOCUS_ADAPTIVE_CONVOLUTION_CUDA_H_
