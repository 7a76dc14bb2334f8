"""Programs that a check needs and Debian has."""
import os
import shutil
import subprocess


def installed(find, *packages):
    """What `find` gives; where that is nothing and this is Debian's root, what it gives once these packages are there."""
    found = find()
    if not found and shutil.which("apt-get") and os.geteuid() == 0:
        # With this run level no service is started by its installation.
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", "-qq", *command], env=environment, check=False, stdout=subprocess.DEVNULL)
        found = find()
    return found
