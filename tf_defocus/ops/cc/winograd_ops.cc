// The convolutions of winograd.h as a TensorFlow operation for a CPU, with what follows:
// bias, a tensor to add, leaky ReLU.

#include "convolution_shapes.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/lib/core/threadpool.h"
#include "winograd.h"

namespace tensorflow {
namespace {

using tf_defocus::winograd::Epilogue;
using tf_defocus::winograd::Sizes;
using tf_defocus::winograd::TransformKernels;

Status Check(const Tensor& features, const Tensor& kernel, const Tensor& bias) {
  const bool fits = features.dims() == 4 && kernel.dims() == 4 &&
                    (kernel.dim_size(0) == 3 || kernel.dim_size(0) == 5) &&
                    kernel.dim_size(1) == kernel.dim_size(0) &&
                    kernel.dim_size(2) == features.dim_size(3) &&
                    bias.NumElements() == kernel.dim_size(3);
  if (fits) return OkStatus();
  return errors::InvalidArgument(
      "expected features (batch, height, width, channels), a kernel (size, size, "
      "channels, filters) of size 3 or 5 and a bias (filters). Received: ",
      features.shape().DebugString(), ", ", kernel.shape().DebugString(), " and ",
      bias.shape().DebugString());
}

class WinogradConvolution : public OpKernel {
 public:
  explicit WinogradConvolution(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("negative_slope", &slope_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& features = context->input(0);
    const Tensor& kernel = context->input(1);
    const Tensor& bias = context->input(2);
    OP_REQUIRES_OK(context, Check(features, kernel, bias));
    const Sizes sizes{features.dim_size(0), features.dim_size(1), features.dim_size(2),
                      features.dim_size(3), kernel.dim_size(3),
                      kernel.dim_size(0)};
    TensorShape shape = features.shape();
    shape.set_dim(3, sizes.filters);
    const bool adds = context->num_inputs() > 3;
    OP_REQUIRES(context, !adds || context->input(3).shape() == shape,
                errors::InvalidArgument("the addend must have the outputs' shape"));
    Tensor* outputs = nullptr;
    // Every value of the addend is read just before its place is written.
    OP_REQUIRES_OK(context, adds ? context->forward_input_or_allocate_output(
                                       {3}, 0, shape, &outputs)
                                 : context->allocate_output(0, shape, &outputs));
    if (outputs->NumElements() == 0) return;
    const Epilogue epilogue{bias.flat<float>().data(),
                            adds ? context->input(3).flat<float>().data() : nullptr,
                            slope_};
    Convolve(context, sizes, features, kernel, epilogue, outputs);
  }

 private:
  void Convolve(OpKernelContext* context, const Sizes& sizes, const Tensor& features,
                const Tensor& kernel, const Epilogue& epilogue, Tensor* outputs) {
    Tensor points;
    OP_REQUIRES_OK(context,
                   context->allocate_temp(
                       DT_FLOAT, TensorShape({sizes.kernel_elements()}), &points));
    auto* workers = context->device()->tensorflow_cpu_worker_threads()->workers;
    const float* source = kernel.flat<float>().data();
    float* kernels = points.flat<float>().data();
    workers->ParallelFor(sizes.channels, sizes.filters * 60,
                         [&](int64_t begin, int64_t end) {
                           const auto transform = sizes.kernel_size == 5
                                                      ? TransformKernels<5>
                                                      : TransformKernels<3>;
                           transform(sizes, source, begin, end, kernels);
                         });
    const float* inputs = features.flat<float>().data();
    float* out = outputs->flat<float>().data();
    const int64_t cycles =
        sizes.channels * sizes.filters * tf_defocus::winograd::kTiles * 3;
    workers->ParallelFor(
        sizes.blocks(), cycles, [&](int64_t begin, int64_t end) {
          ConvolveBlocks(sizes, inputs, kernels, epilogue, out, begin, end);
        });
  }

  float slope_;
};

REGISTER_KERNEL_BUILDER(Name("TfDefocusWinogradConvolution").Device(DEVICE_CPU),
                        WinogradConvolution);

}  // namespace

REGISTER_OP("TfDefocusWinogradConvolution")
    .Input("features: float")
    .Input("kernel: float")
    .Input("bias: float")
    .Input("addends: num_addends * float")
    .Output("outputs: float")
    .Attr("num_addends: int >= 0")
    .Attr("negative_slope: float")
    .SetShapeFn(tf_defocus::ConvolutionShapes);

}  // namespace tensorflow
