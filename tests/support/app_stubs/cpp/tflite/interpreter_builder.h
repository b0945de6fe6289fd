#pragma once
#include <memory>

#include "tflite/interpreter.h"
#include "tflite/model_builder.h"

namespace tflite {

class OpResolver {
 public:
  virtual ~OpResolver() {}
};

class InterpreterBuilder {
 public:
  InterpreterBuilder(const FlatBufferModel& model, const OpResolver& op_resolver) {}
  InterpreterBuilder(const InterpreterBuilder&) = delete;
  TfLiteStatus operator()(std::unique_ptr<Interpreter>* interpreter) {
    interpreter->reset(new Interpreter());
    return kTfLiteOk;
  }
};

}  // namespace tflite
