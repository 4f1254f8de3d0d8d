// A trust head (.xml with its .bin) run by OpenVINO's C++ API.
#include <openvino/openvino.hpp>

#include "trust_head.hpp"

namespace {

class OpenVinoHead : public TrustHead {
public:
  explicit OpenVinoHead(const std::string & path) : model_(core_.read_model(path)) {
    compiled_ = core_.compile_model(
      model_, "CPU",
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
      // else bfloat16 where the CPU has it: other maps on other machines
      ov::hint::inference_precision(ov::element::f32));
  }

  std::string said(const std::string & key) override {
    return model_->has_rt_info("trust_seg", key) ? model_->get_rt_info<std::string>("trust_seg", key) : "";
  }

  std::vector<std::vector<std::uint8_t>> run(
    const Image & image, const std::vector<std::string> & names) override {
    // the runtime reads the picture where it lies; it does not write to it
    auto * pixels = const_cast<std::uint8_t *>(image.pixels.data());
    auto request = compiled_.create_infer_request();
    request.set_input_tensor(ov::Tensor(ov::element::u8, {1, image.height, image.width, 3}, pixels));
    request.infer();
    std::vector<std::vector<std::uint8_t>> maps;
    for (const auto & name : names) {
      const auto answer = request.get_tensor(name);
      const auto * first = answer.data<std::uint8_t>();
      maps.emplace_back(first, first + answer.get_size());
    }
    return maps;
  }

private:
  ov::Core core_;
  std::shared_ptr<ov::Model> model_;
  ov::CompiledModel compiled_;
};

}  // namespace

std::unique_ptr<TrustHead> open_head(const std::string & path) { return std::make_unique<OpenVinoHead>(path); }
