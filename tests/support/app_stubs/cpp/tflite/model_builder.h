#pragma once
#include <memory>
#include <string>

namespace tflite {

class ErrorReporter;
ErrorReporter* DefaultErrorReporter() { return nullptr; }

class FlatBufferModel {
 public:
  static std::unique_ptr<FlatBufferModel> BuildFromFile(
      const char* filename, ErrorReporter* error_reporter = DefaultErrorReporter()) {
    if (std::string(filename) != "decoder.tflite") return nullptr;
    return std::unique_ptr<FlatBufferModel>(new FlatBufferModel());
  }
};

}  // namespace tflite
