// A file of `trust-seg export --head trust`, run by whichever library this program was built with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// A picture: rows of red, green, blue bytes.
struct Image {
  std::size_t width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
};

// A trust head. Both classes behind it (with_onnxruntime.cpp, with_openvino.cpp) throw std::exception.
class TrustHead {
public:
  virtual ~TrustHead() = default;

  // An entry of the file's metadata, without its prefix "trust_seg."; "" if there is none.
  virtual std::string said(const std::string & key) = 0;

  // The maps of a picture, one byte a pixel, in the order of `names`.
  virtual std::vector<std::vector<std::uint8_t>> run(
    const Image & image, const std::vector<std::string> & names) = 0;
};

std::unique_ptr<TrustHead> open_head(const std::string & path);
