"""Programs on a service that speaks SandboxFusion's `POST /run_code`.

client.py      a sandbox like the local one: tests in, outcomes out
transport.py   requests over HTTP, tried again
driver.py      what the service runs around a program that is called; travels as text
"""
