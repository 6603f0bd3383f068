import uvicorn

if __name__ == "__main__":
    uvicorn.run("server.core:api", host="0.0.0.0", port=9000, reload=True, log_level="info")
