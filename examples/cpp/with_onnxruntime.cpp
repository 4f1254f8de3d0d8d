// A trust head (.onnx) run by ONNX Runtime's C++ API.
#include <onnxruntime_cxx_api.h>

#include <array>

#include "trust_head.hpp"

namespace {

class OnnxRuntimeHead : public TrustHead {
public:
  explicit OnnxRuntimeHead(const std::string & path) : session_(environment_, path.c_str(), options()) {}

  std::string said(const std::string & key) override {
    const auto metadata = session_.GetModelMetadata();
    const auto found = metadata.LookupCustomMetadataMapAllocated(("trust_seg." + key).c_str(), allocator_);
    return found ? found.get() : "";
  }

  std::vector<std::vector<std::uint8_t>> run(
    const Image & image, const std::vector<std::string> & names) override {
    const std::array<std::int64_t, 4> shape{
      1, static_cast<std::int64_t>(image.height), static_cast<std::int64_t>(image.width), 3};
    // the runtime reads the picture where it lies; it does not write to it
    auto * pixels = const_cast<std::uint8_t *>(image.pixels.data());
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto input =
      Ort::Value::CreateTensor<std::uint8_t>(memory, pixels, image.pixels.size(), shape.data(), shape.size());
    const char * input_name = "image";
    std::vector<const char *> wanted;
    for (const auto & name : names) {
      wanted.push_back(name.c_str());
    }
    const auto answers =
      session_.Run(Ort::RunOptions{nullptr}, &input_name, &input, 1, wanted.data(), wanted.size());
    std::vector<std::vector<std::uint8_t>> maps;
    for (const auto & answer : answers) {
      const auto * first = answer.GetTensorData<std::uint8_t>();
      maps.emplace_back(first, first + answer.GetTensorTypeAndShapeInfo().GetElementCount());
    }
    return maps;
  }

private:
  static Ort::SessionOptions options() {
    Ort::SessionOptions chosen;
    chosen.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    chosen.DisableMemPattern();  // it keeps a plan of all arrays at once: half as much memory again
    // threads that wait for work in a loop take the cores from whatever runs beside the network
    chosen.AddConfigEntry("session.intra_op.allow_spinning", "0");
    return chosen;
  }

  Ort::Env environment_{ORT_LOGGING_LEVEL_ERROR, "trust_head"};
  Ort::AllocatorWithDefaultOptions allocator_;
  Ort::Session session_;
};

}  // namespace

std::unique_ptr<TrustHead> open_head(const std::string & path) { return std::make_unique<OnnxRuntimeHead>(path); }
