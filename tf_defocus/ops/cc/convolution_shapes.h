// The shapes of convolutions that keep an image's size, for TensorFlow's graphs.

#ifndef TF_DEFOCUS_CONVOLUTION_SHAPES_H_
#define TF_DEFOCUS_CONVOLUTION_SHAPES_H_

#include "tensorflow/core/framework/shape_inference.h"

namespace tf_defocus {

// Every output: the first input with the filters of the second, a kernel, as channels.
inline tensorflow::Status ConvolutionShapes(
    tensorflow::shape_inference::InferenceContext* context) {
  tensorflow::shape_inference::ShapeHandle features, kernel, output;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 4, &features));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), 4, &kernel));
  TF_RETURN_IF_ERROR(
      context->ReplaceDim(features, 3, context->Dim(kernel, 3), &output));
  for (int i = 0; i < context->num_outputs(); ++i) context->set_output(i, output);
  return tensorflow::OkStatus();
}

}  // namespace tf_defocus

#endif  // TF_DEFOCUS_CONVOLUTION_SHAPES_H_
