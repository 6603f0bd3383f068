from fastapi import FastAPI

from invoices.models import Invoice
from invoices.tasks import total

app = FastAPI()


@app.get("/")
def index():
    return "invoices"


@app.post("/")
def post(invoice: Invoice):
    return total.delay(invoice.model_dump()).id
