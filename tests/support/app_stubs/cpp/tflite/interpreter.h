// What the C++ of export/README.md uses of LiteRT, declared as in LiteRT's sources, with a model
// of one signature `sample` whose x tells what it was given.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef union TfLitePtrUnion {
  int32_t* i32;
  float* f;
} TfLitePtrUnion;
typedef struct TfLiteTensor {
  TfLitePtrUnion data;
} TfLiteTensor;

namespace tflite {

class SignatureRunner {
 public:
  TfLiteTensor* input_tensor(const char* input_name) {
    if (!std::strcmp(input_name, "seed")) return &inputs_[0];
    return std::strcmp(input_name, "index") ? nullptr : &inputs_[1];
  }
  const TfLiteTensor* output_tensor(const char* output_name) const {
    return std::strcmp(output_name, "x") ? nullptr : &x_;
  }
  TfLiteStatus AllocateTensors() {
    for (int i = 0; i < 2; ++i) inputs_[i].data.i32 = &given_[i];
    x_.data.f = values_;
    return kTfLiteOk;
  }
  TfLiteStatus Invoke() {
    if (x_.data.f == nullptr) return kTfLiteError;
    for (int i = 0; i < 64; ++i) values_[i] = 1000 * given_[0] + 100 * given_[1] + i;
    return kTfLiteOk;
  }

 private:
  int32_t given_[2] = {0, 0};
  float values_[64] = {};
  TfLiteTensor inputs_[2] = {};
  TfLiteTensor x_ = {};
};

class Interpreter {
 public:
  SignatureRunner* GetSignatureRunner(const char* signature_key) {
    return std::strcmp(signature_key, "sample") ? nullptr : &runner_;
  }

 private:
  SignatureRunner runner_;
};

}  // namespace tflite
