// The convolutions of shared_dilations.h as a TensorFlow operation for a CPU.

#include "convolution_shapes.h"
#include "shared_dilations.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace tensorflow {
namespace {

using tf_defocus::shared_dilations::Strip;
using tf_defocus::shared_dilations::Task;

class SharedDilations : public OpKernel {
 public:
  explicit SharedDilations(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rates", &rates_));
    for (int64_t rate : rates_) {
      OP_REQUIRES(context, rate >= 1,
                  errors::InvalidArgument("rates must be at least 1. Received: ", rate));
    }
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& features = context->input(0);
    const Tensor& kernel = context->input(1);
    const bool fits = features.dims() == 4 && kernel.dims() == 4 &&
                      kernel.dim_size(0) % 2 == 1 &&
                      kernel.dim_size(1) == kernel.dim_size(0) &&
                      kernel.dim_size(2) == features.dim_size(3);
    OP_REQUIRES(context, fits,
                errors::InvalidArgument(
                    "expected features (batch, height, width, channels) and a kernel "
                    "(size, size, channels, filters), size odd. Received: ",
                    features.shape().DebugString(), " and ",
                    kernel.shape().DebugString()));
    TensorShape shape = features.shape();
    shape.set_dim(3, kernel.dim_size(3));
    std::vector<float*> outputs;
    for (size_t i = 0; i < rates_.size(); ++i) {
      Tensor* output = nullptr;
      OP_REQUIRES_OK(context, context->allocate_output(i, shape, &output));
      outputs.push_back(output->flat<float>().data());
    }
    if (shape.num_elements() == 0) return;
    const Task task{{shape.dim_size(0), shape.dim_size(1), shape.dim_size(2),
                     features.dim_size(3), shape.dim_size(3)},
                    kernel.dim_size(0),
                    rates_};
    Convolve(context, task, features, kernel, outputs);
  }

 private:
  // Every thread takes one strip of an image: what lies above and below is computed twice.
  void Convolve(OpKernelContext* context, const Task& task, const Tensor& features,
                const Tensor& kernel, const std::vector<float*>& outputs) {
    Tensor packed;
    OP_REQUIRES_OK(context,
                   context->allocate_temp(
                       DT_FLOAT, TensorShape({task.kernel_elements()}), &packed));
    float* kernels = packed.flat<float>().data();
    PackKernel(task, kernel.flat<float>().data(), kernels);
    const auto& threads = *context->device()->tensorflow_cpu_worker_threads();
    const int64_t height = task.sizes.height;
    const int64_t strips = std::min<int64_t>(threads.num_threads, height);
    const int64_t pixels = height * task.sizes.width;
    const float* inputs = features.flat<float>().data();
    const auto work = [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        const int64_t image = index / strips, strip = index % strips;
        std::vector<float*> own = outputs;
        for (float*& output : own) output += image * pixels * task.sizes.filters;
        ConvolveStrip(task, inputs + image * pixels * task.sizes.channels, kernels,
                      {strip * height / strips, (strip + 1) * height / strips, own});
      }
    };
    constexpr int64_t kAlwaysApart = 100000000;  // cycles
    threads.workers->ParallelFor(task.sizes.batch * strips, kAlwaysApart, work);
  }

  std::vector<int64_t> rates_;
};

REGISTER_KERNEL_BUILDER(Name("TfDefocusSharedDilations").Device(DEVICE_CPU),
                        SharedDilations);

}  // namespace

REGISTER_OP("TfDefocusSharedDilations")
    .Input("features: float")
    .Input("kernel: float")
    .Output("outputs: num_rates * float")
    .Attr("num_rates: int >= 1")
    .Attr("rates: list(int)")
    .SetShapeFn(tf_defocus::ConvolutionShapes);

}  // namespace tensorflow
