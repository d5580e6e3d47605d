#!/usr/bin/env bash
# Builds a release of mmdet on mmcv 1.x in a virtual environment: mmcv1_env.sh DIR 2.10.0|2.28.2
#
# mmcv comes without its compiled operators, and without torchvision: `mmcv1_stubs.py` stands in.
set -eu
dir=$1
case $2 in
2.10.0) mmcv=1.2.7 coco=mmpycocotools==12.0.3 ;; # the release insists on its own build
2.28.2) mmcv=1.7.2 coco=pycocotools ;;
*) exit 2 ;;
esac
python3 -m venv "$dir"
pip="$dir/bin/pip"
"$pip" install -q torch==2.13.0 numpy==1.26.4 opencv-python-headless==4.8.1.78 "setuptools<81" wheel "cython<3"
"$pip" install -q six matplotlib "scipy<1.14" terminaltables packaging addict pyyaml Pillow yapf==0.40.1
for package in "$coco" mmcv=="$mmcv" mmdet=="$2"; do
  "$pip" install -q --no-deps --no-build-isolation "$package"
done
