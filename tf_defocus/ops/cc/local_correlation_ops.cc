// The correlation of local_correlation.h as a TensorFlow operation for a CPU.

#include "local_correlation.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace tensorflow {
namespace {

using tf_defocus::local_correlation::CorrelateRows;
using tf_defocus::local_correlation::Sizes;

class LocalCorrelation : public OpKernel {
 public:
  explicit LocalCorrelation(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("radius", &radius_));
    OP_REQUIRES_OK(context, context->GetAttr("scale", &scale_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& query = context->input(0);
    const Tensor& key = context->input(1);
    OP_REQUIRES(context, query.dims() == 4 && query.shape() == key.shape(),
                errors::InvalidArgument(
                    "expected a query and a key (batch, height, width, channels) of one "
                    "shape. Received: ",
                    query.shape().DebugString(), " and ", key.shape().DebugString()));
    const Sizes sizes{query.dim_size(1), query.dim_size(2), query.dim_size(3), radius_};
    TensorShape shape = query.shape();
    shape.set_dim(3, sizes.window() * sizes.window());
    Tensor* outputs = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &outputs));
    if (outputs->NumElements() == 0) return;
    Correlate(context, sizes, query, key, outputs);
  }

 private:
  // Every thread takes one strip of an image: the rows around it are read twice.
  void Correlate(OpKernelContext* context, const Sizes& sizes, const Tensor& query,
                 const Tensor& key, Tensor* outputs) {
    const auto& threads = *context->device()->tensorflow_cpu_worker_threads();
    const int64_t strips = std::min<int64_t>(threads.num_threads, sizes.height);
    const int64_t given = sizes.height * sizes.width * sizes.channels;
    const int64_t made = outputs->NumElements() / query.dim_size(0);
    const float* queries = query.flat<float>().data();
    const float* keys = key.flat<float>().data();
    float* out = outputs->flat<float>().data();
    const auto work = [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        const int64_t image = index / strips, strip = index % strips;
        CorrelateRows(sizes, queries + image * given, keys + image * given, scale_,
                      out + image * made, strip * sizes.height / strips,
                      (strip + 1) * sizes.height / strips);
      }
    };
    constexpr int64_t kAlwaysApart = 100000000;  // cycles
    threads.workers->ParallelFor(query.dim_size(0) * strips, kAlwaysApart, work);
  }

  int64_t radius_;
  float scale_;
};

REGISTER_KERNEL_BUILDER(Name("TfDefocusLocalCorrelation").Device(DEVICE_CPU),
                        LocalCorrelation);

Status CorrelationShape(shape_inference::InferenceContext* context) {
  shape_inference::ShapeHandle query, output;
  int64_t radius;
  TF_RETURN_IF_ERROR(context->GetAttr("radius", &radius));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 4, &query));
  const int64_t window = 2 * radius + 1;
  TF_RETURN_IF_ERROR(
      context->ReplaceDim(query, 3, context->MakeDim(window * window), &output));
  context->set_output(0, output);
  return OkStatus();
}

}  // namespace

REGISTER_OP("TfDefocusLocalCorrelation")
    .Input("query: float")
    .Input("key: float")
    .Output("maps: float")
    .Attr("radius: int >= 1")
    .Attr("scale: float")
    .SetShapeFn(CorrelationShape);

}  // namespace tensorflow
