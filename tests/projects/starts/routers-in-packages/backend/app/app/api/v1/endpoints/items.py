from fastapi import APIRouter

router = APIRouter()


@router.get("/")
def items() -> list[str]:
    return ["foo"]
