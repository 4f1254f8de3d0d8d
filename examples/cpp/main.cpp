// A trust head without Python: picture in, class and entropy maps out.
//
//   trust_head_onnxruntime trust.onnx street.ppm out          writes out_class.pgm, out_entropy.pgm, ...
//   trust_head_openvino trust.xml street.ppm out 0.4          a pixel is untrusted from an entropy of 0.4 on
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "trust_head.hpp"

namespace {

constexpr std::uint8_t kUnlabelled = 255;

// How a map is written in bytes: value = zero + scale * byte; of the map "class" the byte is the class.
struct Coded {
  std::string name;
  double scale = 1.0, zero = 0.0;
};

// A whole number in the header of a PPM file, where lines from # on are comments.
std::size_t header_number(std::istream & file) {
  while (std::isspace(file.peek()) || file.peek() == '#') {
    if (file.get() == '#') {
      std::string comment;
      std::getline(file, comment);
    }
  }
  std::size_t number = 0;
  if (!(file >> number)) {
    throw std::runtime_error("its header is damaged; expected P6, width, height, 255");
  }
  return number;
}

// A binary PPM file (P6, 8 bits), as `convert street.jpg street.ppm` writes it.
Image read_ppm(const std::string & path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error(path + ": no such file");
  }
  std::string kind(2, ' ');
  file.read(kind.data(), 2);
  if (kind != "P6") {
    throw std::runtime_error(path + ": no binary PPM file (P6); convert it: convert street.jpg street.ppm");
  }
  Image image;
  image.width = header_number(file);
  image.height = header_number(file);
  if (header_number(file) != 255 || image.width == 0 || image.height == 0 || image.width > 1 << 14 ||
      image.height > 1 << 14) {
    throw std::runtime_error(path + ": expected 8 bits a channel, and sides of 1 to 16384 pixels");
  }
  file.get();  // one space ends the header
  image.pixels.resize(image.width * image.height * 3);
  file.read(reinterpret_cast<char *>(image.pixels.data()), static_cast<std::streamsize>(image.pixels.size()));
  if (!file) {
    throw std::runtime_error(path + ": it ends before its last pixel");
  }
  return image;
}

void write_pgm(const std::string & path, const Image & image, const std::vector<std::uint8_t> & map) {
  std::ofstream file(path, std::ios::binary);
  file << "P5\n" << image.width << ' ' << image.height << "\n255\n";
  file.write(reinterpret_cast<const char *>(map.data()), static_cast<std::streamsize>(map.size()));
  if (!file.flush()) {
    throw std::runtime_error(path + ": it cannot be written");
  }
}

std::vector<std::string> lines_of(const std::string & text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

// The maps that a file gives, from its metadata: a line "name scale zero" each.
std::vector<Coded> coded_maps(TrustHead & head, const std::string & path) {
  std::vector<Coded> maps;
  for (const auto & line : lines_of(head.said("maps"))) {
    Coded one;
    if (std::istringstream(line) >> one.name >> one.scale >> one.zero) {
      maps.push_back(one);
    }
  }
  if (maps.empty()) {
    throw std::runtime_error(path + ": no trust head; make one: trust-seg export --head trust --out " + path);
  }
  return maps;
}

void say_classes(const std::vector<std::uint8_t> & map, const std::vector<std::string> & names) {
  std::vector<std::size_t> counts(256, 0);
  for (const auto byte : map) {
    ++counts[byte];
  }
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] > 0) {
      const auto name = k < names.size() ? names[k] : k == kUnlabelled ? "none" : "?";
      std::cout << "  " << name << ' ' << 100.0 * counts[k] / map.size() << " %\n";
    }
  }
}

void say_score(const std::vector<std::uint8_t> & map, const Coded & coded, double threshold) {
  double sum = 0.0;
  std::size_t untrusted = 0;
  for (const auto byte : map) {
    const double value = coded.zero + coded.scale * byte;
    sum += value;
    untrusted += value >= threshold;
  }
  std::cout << "mean " << coded.name << ' ' << sum / map.size() << ", untrusted from " << threshold << " on: "
            << 100.0 * untrusted / map.size() << " %\n";
}

int judge(const std::string & path, const std::string & picture, const std::string & out, double threshold) {
  const auto head = open_head(path);
  const auto maps = coded_maps(*head, path);
  const auto image = read_ppm(picture);
  std::vector<std::string> names;
  for (const auto & one : maps) {
    names.push_back(one.name);
  }
  const auto found = head->run(image, names);
  std::cout << std::fixed << std::setprecision(4);
  for (std::size_t k = 0; k < maps.size(); ++k) {
    write_pgm(out + "_" + maps[k].name + ".pgm", image, found[k]);
    if (maps[k].name == "class") {
      say_classes(found[k], lines_of(head->said("classes")));
    } else if (maps[k].name == "entropy") {
      say_score(found[k], maps[k], threshold);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char ** argv) {
  if (argc != 4 && argc != 5) {
    std::cerr << "usage: " << argv[0] << " MODEL IMAGE.ppm OUT [THRESHOLD]\n";
    return 2;
  }
  try {
    return judge(argv[1], argv[2], argv[3], argc > 4 ? std::stod(argv[4]) : 0.5);
  } catch (const std::exception & error) {
    std::cerr << argv[0] << ": " << error.what() << '\n';
    return 2;
  }
}
