from pydantic import BaseModel


class Line(BaseModel):
    price: int
    quantity: int = 1


class Invoice(BaseModel):
    lines: list[Line]


class Total(BaseModel):
    amount: int
