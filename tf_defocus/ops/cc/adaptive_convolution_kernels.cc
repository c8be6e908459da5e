// TensorFlow kernels of the adaptive convolution step: they check, allocate, and hand
// rows to TensorFlow's threads (CPU) or to the CUDA launchers.

#include "adaptive_convolution.h"
#include "adaptive_convolution_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/lib/core/threadpool.h"

#ifdef TF_DEFOCUS_CUDA
#include "adaptive_convolution_cuda.h"
#include "tensorflow/core/platform/stream_executor.h"
#endif

namespace tensorflow {
namespace {

using tf_defocus::Step;

Status ReadStep(OpKernelConstruction* context, Step* step) {
  TF_RETURN_IF_ERROR(context->GetAttr("filter_size", &step->filter_size));
  TF_RETURN_IF_ERROR(context->GetAttr("negative_slope", &step->negative_slope));
  TF_RETURN_IF_ERROR(context->GetAttr("reuse_vertical", &step->reuse_vertical));
  if (step->filter_size < 1 || step->filter_size % 2 == 0) {
    return errors::InvalidArgument("filter_size must be odd. Received: ",
                                   step->filter_size);
  }
  if (!(step->negative_slope >= 0)) {
    return errors::InvalidArgument("negative_slope must be >= 0. Received: ",
                                   step->negative_slope);
  }
  return OkStatus();
}

Status ReadSizes(const Tensor& features, const Tensor& filters, Step* step) {
  if (features.dims() != 4 || filters.dims() != 4) {
    return errors::InvalidArgument(
        "features and filters must be (batch, height, width, channels). Received: ",
        features.shape().DebugString(), " and ", filters.shape().DebugString());
  }
  if (features.NumElements() == 0) {
    return errors::InvalidArgument("features must not be empty. Received: ",
                                   features.shape().DebugString());
  }
  step->batch = features.dim_size(0);
  step->height = features.dim_size(1);
  step->width = features.dim_size(2);
  step->channels = features.dim_size(3);
  const TensorShape expected(
      {step->batch, step->height, step->width, step->pixel_filters()});
  if (filters.shape() != expected) {
    return errors::InvalidArgument("filters must have shape ", expected.DebugString(),
                                   ". Received: ", filters.shape().DebugString());
  }
  return OkStatus();
}

// One call of a kernel, its sizes checked.
struct Call {
  OpKernelContext* context;
  Step step;
  const Tensor& features;
  const Tensor& filters;
};

template <typename Work>
void ForRows(const Call& call, int64_t cycles_per_filter, const Work& work) {
  const Step& step = call.step;
  const int64_t cost = step.width * step.pixel_filters() * cycles_per_filter;
  call.context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(
      step.rows(), cost, work);
}

// What every kernel does first: it reads the attributes once, the sizes at each call.
class StepKernel : public OpKernel {
 public:
  explicit StepKernel(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, ReadStep(context, &attributes_));
  }

  void Compute(OpKernelContext* context) override {
    Call call{context, attributes_, context->input(0), context->input(1)};
    OP_REQUIRES_OK(context, ReadSizes(call.features, call.filters, &call.step));
    Run(call);
  }

 private:
  virtual void Run(const Call& call) = 0;

  Step attributes_;
};

// What the gradient kernels give, and a float32 image between their two passes.
struct Gradients {
  Tensor* features;
  Tensor* filters;
  Tensor vertical;
};

Status Allocate(const Call& call, Gradients* found) {
  OpKernelContext* context = call.context;
  const TensorShape& shape = call.features.shape();
  TF_RETURN_IF_ERROR(context->allocate_output(0, shape, &found->features));
  TF_RETURN_IF_ERROR(
      context->allocate_output(1, call.filters.shape(), &found->filters));
  return context->allocate_temp(DT_FLOAT, shape, &found->vertical);
}

template <typename T>
class AdaptiveStepOp : public StepKernel {
 public:
  using StepKernel::StepKernel;

 private:
  void Run(const Call& call) override {
    OpKernelContext* context = call.context;
    const Step step = call.step;
    Tensor* outputs;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, call.features.shape(), &outputs));
    const T* in = call.features.flat<T>().data();
    const T* weights = call.filters.flat<T>().data();
    T* out = outputs->flat<T>().data();
    ForRows(call, 1, [=](int64_t begin, int64_t end) {
      tf_defocus::ForwardRows(step, in, weights, out, begin, end);
    });
  }
};

template <typename T>
class AdaptiveStepGradOp : public StepKernel {
 public:
  using StepKernel::StepKernel;

 private:
  void Run(const Call& call) override {
    OpKernelContext* context = call.context;
    for (int i : {2, 3}) {
      OP_REQUIRES(context, context->input(i).shape() == call.features.shape(),
                  errors::InvalidArgument(
                      "outputs and gradients must have the shape of features"));
    }
    const Step step = call.step;
    Gradients found;
    OP_REQUIRES_OK(context, Allocate(call, &found));
    const T* in = call.features.flat<T>().data();
    const T* weights = call.filters.flat<T>().data();
    const T* outputs = context->input(2).flat<T>().data();
    const T* gradients = context->input(3).flat<T>().data();
    float* between = found.vertical.flat<float>().data();
    T* out_features = found.features->flat<T>().data();
    T* out_filters = found.filters->flat<T>().data();
    ForRows(call, 3, [=](int64_t begin, int64_t end) {
      tf_defocus::FilterGradientRows(step, in, weights, outputs, gradients, between,
                                     out_filters, begin, end);
    });
    ForRows(call, 1, [=](int64_t begin, int64_t end) {
      tf_defocus::FeatureGradientRows(step, weights, between, out_features, begin,
                                      end);
    });
  }
};

#define REGISTER_CPU(T)                                                            \
  REGISTER_KERNEL_BUILDER(                                                         \
      Name("TfDefocusAdaptiveStep").Device(DEVICE_CPU).TypeConstraint<T>("T"),     \
      AdaptiveStepOp<T>);                                                          \
  REGISTER_KERNEL_BUILDER(                                                         \
      Name("TfDefocusAdaptiveStepGrad").Device(DEVICE_CPU).TypeConstraint<T>("T"), \
      AdaptiveStepGradOp<T>);
REGISTER_CPU(float)
REGISTER_CPU(bfloat16)
#undef REGISTER_CPU

#ifdef TF_DEFOCUS_CUDA

void* StreamOf(OpKernelContext* context) {
  return context->op_device_context()->stream()->platform_specific_handle().stream;
}

template <typename T>
class AdaptiveStepCudaOp : public StepKernel {
 public:
  using StepKernel::StepKernel;

 private:
  void Run(const Call& call) override {
    OpKernelContext* context = call.context;
    Tensor* outputs;
    Tensor vertical;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, call.features.shape(), &outputs));
    OP_REQUIRES_OK(context,
                   context->allocate_temp(DT_FLOAT, call.features.shape(), &vertical));
    const char* error = tf_defocus::LaunchForward(
        call.step, std::is_same<T, bfloat16>::value, call.features.data(),
        call.filters.data(),
        vertical.flat<float>().data(), outputs->data(), StreamOf(context));
    OP_REQUIRES(context, error == nullptr, errors::Internal(error));
  }
};

template <typename T>
class AdaptiveStepGradCudaOp : public StepKernel {
 public:
  using StepKernel::StepKernel;

 private:
  void Run(const Call& call) override {
    OpKernelContext* context = call.context;
    Gradients found;
    Tensor vertical_gradients;
    OP_REQUIRES_OK(context, Allocate(call, &found));
    OP_REQUIRES_OK(context, context->allocate_temp(DT_FLOAT, call.features.shape(),
                                                   &vertical_gradients));
    const char* error = tf_defocus::LaunchBackward(
        call.step, std::is_same<T, bfloat16>::value, call.features.data(),
        call.filters.data(),
        context->input(2).data(), context->input(3).data(),
        found.vertical.flat<float>().data(), vertical_gradients.flat<float>().data(),
        found.features->data(), found.filters->data(), StreamOf(context));
    OP_REQUIRES(context, error == nullptr, errors::Internal(error));
  }
};

#define REGISTER_CUDA(T)                                                           \
  REGISTER_KERNEL_BUILDER(                                                         \
      Name("TfDefocusAdaptiveStep").Device(DEVICE_GPU).TypeConstraint<T>("T"),     \
      AdaptiveStepCudaOp<T>);                                                      \
  REGISTER_KERNEL_BUILDER(                                                         \
      Name("TfDefocusAdaptiveStepGrad").Device(DEVICE_GPU).TypeConstraint<T>("T"), \
      AdaptiveStepGradCudaOp<T>);
REGISTER_CUDA(float)
REGISTER_CUDA(bfloat16)
#undef REGISTER_CUDA

#endif  // TF_DEFOCUS_CUDA

}  // namespace
}  // namespace tensorflow
