from . import users_router


@users_router.get("/")
def everybody():
    return ["nobody"]
