#pragma once
#include "tflite/interpreter_builder.h"

namespace tflite {
namespace ops {
namespace builtin {

class BuiltinOpResolver : public OpResolver {};

}  // namespace builtin
}  // namespace ops
}  // namespace tflite
