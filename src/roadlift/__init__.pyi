from . import evaluate as evaluate
from .errors import InputError as InputError
from .errors import LimitError as LimitError
from .errors import ModelError as ModelError
from .errors import OutputError as OutputError
from .errors import RoadliftError as RoadliftError
from .errors import UsageError as UsageError
from .export import RoadMap as RoadMap
from .model import list_models as list_models
from .model import load_model as load_model
from .network import NetworkOptions as NetworkOptions
from .pipeline import ExtractOptions as ExtractOptions
from .pipeline import extract as extract
from .pipeline import predict as predict
from .pipeline import vectorize as vectorize
from .preflight import inspect as inspect
from .segment import patchify as patchify
from .segment import unpatchify as unpatchify

__version__: str
