from dataclasses import replace

import pytest
from configs import trial

from pql_model.errors import InputError
from pql_model.features.incoming import read_entity
from pql_model.serve.intake import Intake, intake_facts
