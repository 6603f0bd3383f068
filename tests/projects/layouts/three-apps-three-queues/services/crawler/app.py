from celery import Celery

crawler = Celery("crawler", broker="redis://broker:6379/0", backend="redis://broker:6379/1")
crawler.conf.task_default_queue = "crawler"


@crawler.task(name="crawler.crawl")
def crawl(url):
    page = f"<b>{url}</b>"
    crawler.send_task("parser.parse", [page], queue="parser")
    return page
