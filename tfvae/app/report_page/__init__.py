"""Writes `report.html`, the page of a run: one file that needs no other, and no script to read."""

from tfvae.app.report_page.again import again as again
from tfvae.app.report_page.page import NAME as NAME
from tfvae.app.report_page.page import write as write
