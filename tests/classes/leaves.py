"""Names that a constructor must not reach, and those where the walk of `reach` ends.

A name is `module.qualname` of a Python object, or that of something which it lies in.
"""

from __future__ import annotations

OURS = ("mmcls", "mmcv", "mmdet", "mmengine", "mmpretrain", "mmseg")

SINKS = frozenset("""
builtins.__import__ builtins.breakpoint builtins.compile builtins.eval builtins.exec
builtins.globals builtins.input builtins.locals builtins.open builtins.vars importlib runpy pkgutil
code codeop ctypes os posix nt _posixsubprocess subprocess pty multiprocessing concurrent threading
asyncio signal sys resource
io _io codecs.open pathlib shutil tempfile glob gzip bz2 lzma zipfile tarfile sqlite3 h5py mmap
socket ssl http urllib ftplib requests
pickle _pickle dill cloudpickle shelve marshal json.load yaml
torch.serialization torch.hub torch.package torch.jit torch.utils.model_zoo torch.onnx
torch.utils.cpp_extension torch.ops.load_library torch.classes torch.compile torch._dynamo
torch.multiprocessing torch.utils.tensorboard torchvision.io torchvision.models
numpy.load numpy.fromfile numpy.memmap numpy.loadtxt numpy.genfromtxt numpy.save numpy.savez
numpy.savetxt numpy.lib.npyio numpy.lib._npyio_impl numpy.f2py numpy.core.multiarray.fromfile
numpy._core.multiarray.fromfile
cv2.imread cv2.imwrite cv2.VideoCapture cv2.VideoWriter cv2.FileStorage cv2.dnn PIL.Image.open
transformers timm detectron2 ldm huggingface_hub
mmengine.config mmengine.fileio mmengine.hub mmengine.runner.checkpoint mmengine.utils.path
mmengine.utils.package_utils mmengine.utils.misc.import_modules_from_strings
mmengine.utils.misc.get_object_from_string mmcv.image.io mmcv.runner.checkpoint mmcv.cnn.rfsearch
mmcv.video.processing mmcv.utils.ext_loader mmcv.fileio mmcv.runner.hooks
mmengine.analysis mmpretrain.models.retrievers mmpretrain.datasets
mmdet.apis mmseg.apis mmpretrain.apis mmengine.infer mmengine._strategy mmengine.runner.runner
mmengine.runner._flexible_runner mmdet.models.detectors.d2_wrapper
""".split())
"""What evaluates, imports, opens, loads, runs, or leaves this process."""

HARMLESS = frozenset("""
os.path posixpath genericpath os.PathLike os.fspath sys.maxsize sys.version_info sys.float_info
sys.platform io.StringIO io.BytesIO _io.StringIO _io.BytesIO mmengine.config.config.ConfigDict
mmengine.utils.path.is_filepath mmengine.utils.path.is_abs
torch.jit.is_scripting torch.jit.is_tracing torch.onnx.is_in_onnx_export
torch._jit_internal.is_scripting torch.jit._trace.is_tracing
""".split())
"""Names within `SINKS` that only compute or tell."""

STOPS = frozenset("""
mmengine.registry mmengine.logging mmengine.utils.dl_utils mmengine.dist mmengine.device
mmengine.utils.version_utils mmengine.utils.manager
""".split())
"""Parts that the walk does not enter, each read by hand in mmengine 0.7.4 and 0.10.7.

The registries build nothing but what is on the list: `target.build` sees to that in the child.
Loggers and message hubs are made by name and open a file only where they are given a path, which
no class does. What `dist` sends goes nowhere in a single process. The others ask for versions.
"""

KNOWN = frozenset("""
_io _warnings _weakref abc addict _bisect bisect builtins collections colorsys contextlib copy cv2
dataclasses datetime enum ftfy functools gc genericpath html inspect itertools json logging math
matplotlib mm_ckpt_migrate mpl_toolkits numbers numpy operator packaging PIL platform posixpath
prettytable pycocotools random re regex rich scipy shapely six string terminaltables textwrap time torch
torchvision types typing typing_extensions unittest uuid warnings weakref
""".split())
"""Packages of whose functions only `SINKS` are looked for; any other's function is a finding."""

ABSENT = frozenset("""
torch.npu torch.mlu torch.musa torch_npu torch_mlu torch_musa numpy.float numpy.bool numpy.int
mmdet.core.export numpy.boxes numpy.in1d torchvision apex_amp
checkpoint_wrapper lap motmetrics mmpretrain mmcls skimage skm
""".split())
"""Names that code mentions and that a release of the stack does not have: reaching one raises.

They are devices that other builds of torch add, what numpy or mmdet took away, and packages that
only compute: fairscale's activation checkpoints, assignment, tracking scores, colours, clusters.
"""
