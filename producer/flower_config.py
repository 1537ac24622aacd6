"""Read by Flower itself (``--conf``): closes what Flower leaves open beside a password.

With basic authentication Flower asks for it on every page but ``/metrics``, which names sweeps, models and slots.
``/healthcheck`` stays open: it says ``OK`` and nothing else.
"""

from flower.views.monitor import Metrics  # type: ignore[import-untyped]
from tornado.web import authenticated

Metrics.get = authenticated(Metrics.get)
