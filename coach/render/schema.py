"""`python -m coach.render.schema` prints the report's JSON Schema, as committed in docs/report.schema.json."""

import sys

from coach.render.json_ import schema

if __name__ == "__main__":
    sys.stdout.write(schema())
