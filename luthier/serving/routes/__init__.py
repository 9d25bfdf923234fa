"""Route families, one file each: ``router(context) -> APIRouter``. A new file here is served; nothing else is edited.

These files may import fastapi at the top: they are loaded only when an app is built.
"""
