#!/bin/sh
# The main job: describe ResNet-101, emit it, check it, fill it, convert it, and prove the result.
set -eu
folder=${1:-demo}
depth=${2:-101}
mkdir -p "$folder"
net="$folder/resnet$depth"

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }

step "caffegen resnet --depth $depth > $net.prototxt"
caffegen resnet --depth "$depth" > "$net.prototxt"
head -n 3 "$net.prototxt"

step "caffegen check $net.prototxt"
caffegen check "$net.prototxt"

step "caffegen summary $net.prototxt | tail -n 6"
caffegen summary "$net.prototxt" | tail -n 6

step "caffegen init $net.prototxt -o $net.caffemodel --seed 0"
caffegen init "$net.prototxt" -o "$net.caffemodel" --seed 0

step "caffegen convert $net.prototxt $net.caffemodel -o $net.onnx"
caffegen convert "$net.prototxt" "$net.caffemodel" -o "$net.onnx"
ls -l "$net.prototxt" "$net.caffemodel" "$net.onnx"

step "caffegen verify $net.prototxt $net.caffemodel"
caffegen verify "$net.prototxt" "$net.caffemodel"
