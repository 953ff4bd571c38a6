from .atomic import replacing as replacing
from .formats import check_format as check_format
from .reading import load as load
from .vector import RoadMap as RoadMap
from .vector import save as save
