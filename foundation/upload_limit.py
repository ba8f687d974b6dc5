"""The limit of uploads: counted while they arrive, so that nothing larger is ever taken in."""

from __future__ import annotations

import tempfile
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

_REFUSED = "_upload_refused"


class UploadLimit(FileUploadHandler):
    """
    Stops reading a request whose file, or whose files together, are larger than the settings say.

    The first of FILE_UPLOAD_HANDLERS. What was parsed before stays; `refused_field` then names the
    field, and the view says so beside it. The rest of the body is not read.
    """

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self._of_all = 0
        self._of_file = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin to count anew."""
        super().new_file(*args, **kwargs)
        self._of_file = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Count, and pass on to the next handler. Raises StopUpload beyond the limit."""
        self._of_file += len(raw_data)
        self._of_all += len(raw_data)
        if (
            self._of_file > settings.UPLOAD_MAX_FILE_BYTES
            or self._of_all > settings.UPLOAD_MAX_REQUEST_BYTES
        ):
            setattr(self.request, _REFUSED, self.field_name)
            raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers behind this one."""
        return


class NamelessFiles(FileUploadHandler):
    """
    Keeps what is too large for memory in files that have no name.

    The last of FILE_UPLOAD_HANDLERS. Whatever ends the process, nothing of an upload is left on
    the disk, where it would lie in clear and nobody would look for it (DOC-8).
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super().new_file(*args, **kwargs)
        self._kept = tempfile.TemporaryFile(  # noqa: SIM115  # closed with the request
            dir=settings.FILE_UPLOAD_TEMP_DIR
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Keep what came."""
        self._kept.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[Any]:
        """Return the file; it is gone when it is closed."""
        self._kept.seek(0)
        return UploadedFile(
            self._kept, self.file_name, self.content_type, file_size, self.charset,
            self.content_type_extra,
        )  # fmt: skip

    def upload_interrupted(self) -> None:
        """Let go of what came of a file that did not come whole."""
        if hasattr(self, "_kept"):
            self._kept.close()


def refused_field(request: HttpRequest) -> str:
    """Return the field whose file was too large, "" if none was. Parses the request."""
    request.FILES  # noqa: B018  # reading it is what runs the handlers
    return str(getattr(request, _REFUSED, "") or "")
