from functools import lru_cache

from pydantic import RedisDsn, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", env_prefix="LIBRARY_")

    broker: RedisDsn
    results: RedisDsn
    api_key: SecretStr
    days: int


@lru_cache
def get_settings() -> Settings:
    return Settings()


settings = get_settings()
