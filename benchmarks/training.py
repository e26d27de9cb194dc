"""How many seconds of one core a preset takes to learn the published sessions, figures and baselines included.

usage: python benchmarks/training.py [CONFIG]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from intentscore.data.uci import open_uci
from intentscore.model.config import load_train_config
from intentscore.services.features import refresh_features
from intentscore.services.train import train
from intentscore.services.upload import upload
from intentscore.settings import Settings
from intentscore.warehouse.session import open_session


def main() -> None:
    config = load_train_config(Path(sys.argv[1] if len(sys.argv) > 1 else "configs/train.yaml"))
    with tempfile.TemporaryDirectory() as home:
        os.environ["INTENTSCORE_HOME"] = home
        settings = Settings()
        with open_session(settings, connection="local", command="benchmark", announce=lambda _: None) as opened:
            upload(opened.session, settings, open_uci(Path(home) / "data"))
            refresh_features(opened.session, settings)
            started_s = time.process_time()
            result = train(opened.session, settings, config)
            print(f"{result.rows:,} sessions, {result.trees:,} trees, {time.process_time() - started_s:.1f} s of CPU")


if __name__ == "__main__":
    main()
