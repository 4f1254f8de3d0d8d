#!/bin/sh
# usage: tools/labelling_loaders.sh [fiftyone]
# Installs the libraries of labelling tools, which test/mining/test_labelling_tools.py opens exports with. They have
# environments of their own, .loaders (0.7 GB) and .loaders_fiftyone (1.2 GB): they want other versions than .venv.
set -eu
cd "$(dirname "$0")/.."
python3 -m venv .loaders
.loaders/bin/python -m pip install --only-binary :all: "datumaro>=1.10" "label-studio-sdk>=2" "cvat-sdk>=2.40" pycocotools
if [ "${1:-}" = fiftyone ]; then
  python3 -m venv .loaders_fiftyone
  .loaders_fiftyone/bin/python -m pip install --only-binary :all: "fiftyone>=1" pycocotools
  # The MongoDB in its wheel wants OpenSSL 1.1, which newer distributions have no more: put libcrypto.so.1.1 and
  # libssl.so.1.1 into .loaders_fiftyone/openssl there.
fi
