// Names, types and shapes of the adaptive convolution step and of its gradient.

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tensorflow {
namespace {

using shape_inference::DimensionHandle;
using shape_inference::InferenceContext;
using shape_inference::ShapeHandle;

Status CheckShapes(InferenceContext* context) {
  ShapeHandle features, filters;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 4, &features));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), 4, &filters));
  int64_t filter_size;
  TF_RETURN_IF_ERROR(context->GetAttr("filter_size", &filter_size));
  if (filter_size < 1 || filter_size % 2 == 0) {
    return errors::InvalidArgument("filter_size must be odd. Received: ", filter_size);
  }
  DimensionHandle merged;
  for (int axis = 0; axis < 3; ++axis) {
    TF_RETURN_IF_ERROR(context->Merge(context->Dim(features, axis),
                                      context->Dim(filters, axis), &merged));
  }
  DimensionHandle expected;
  TF_RETURN_IF_ERROR(context->Multiply(context->Dim(features, 3), 2 * filter_size + 1,
                                       &expected));
  return context->Merge(expected, context->Dim(filters, 3), &merged);
}

// Outputs have the shapes of the inputs that stand in their place.
Status StepShapes(InferenceContext* context) {
  TF_RETURN_IF_ERROR(CheckShapes(context));
  for (int i = 0; i < context->num_outputs(); ++i) {
    context->set_output(i, context->input(i));
  }
  return OkStatus();
}

}  // namespace

REGISTER_OP("TfDefocusAdaptiveStep")
    .Input("features: T")
    .Input("filters: T")
    .Output("outputs: T")
    .Attr("T: {float, bfloat16}")
    .Attr("filter_size: int")
    .Attr("negative_slope: float")
    .Attr("reuse_vertical: bool")
    .SetShapeFn(StepShapes);

REGISTER_OP("TfDefocusAdaptiveStepGrad")
    .Input("features: T")
    .Input("filters: T")
    .Input("outputs: T")
    .Input("gradients: T")
    .Output("features_gradients: T")
    .Output("filters_gradients: T")
    .Attr("T: {float, bfloat16}")
    .Attr("filter_size: int")
    .Attr("negative_slope: float")
    .Attr("reuse_vertical: bool")
    .SetShapeFn(StepShapes);

}  // namespace tensorflow
