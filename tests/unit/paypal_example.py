"""PayPal's own published example of a signed message: a body, its headers, and the certificate of that time.

Source: paypal/PayPal-Python-SDK, test/unit_tests/notifications_test.py; the certificate from paypal/PayPal-node-SDK,
test/mocks/notification.js. The certificate ended on 2017-03-22, so a test looks at it with the clock of 2015.
"""

from datetime import UTC, datetime

NOW = datetime(2015, 5, 18, 15, 46, tzinfo=UTC)
WEBHOOK_ID = "4JH86294D6297924G"
CERT_URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
HEADERS = {
    "paypal-transmission-id": "dfb3be50-fd74-11e4-8bf3-77339302725b",
    "paypal-transmission-time": "2015-05-18T15:45:13Z",
    "paypal-cert-url": CERT_URL,
    "paypal-auth-algo": "SHA256withRSA",
    "paypal-transmission-sig": (
        "thy4/U002quzxFavHPwbfJGcc46E8rc5jzgyeafWm5mICTBdY/8rl7WJpn8JA0GKA+oDTPsSruqusw+XXg5RLAP7ip53Euh9Xu3U"
        "bUhQFX7UgwzE2FeYoY6lyRMiiiQLzy9BvHfIzNIVhPad4KnC339dr6y2l+mN8ALgI4GCdIh3/SoJO5wE64Bh/ueWtt8EVuvsvXfd"
        "a2Le5a2TrOI9vLEzsm9GS79hAR/5oLexNz8UiZr045Mr5ObroH4w4oNfmkTaDk9Rj0G19uvISs5QzgmBpauKr7Nw++JI0pr/v5mF"
        "ctQkoWJSGfBGzPRXawrvIIVHQ9Wer48GR2g9ZiApWg=="
    ),
}
BODY = (
    b'{"id":"WH-0G2756385H040842W-5Y612302CV158622M","create_time":"2015-05-18T15:45:13Z","resource_type":'
    b'"sale","event_type":"PAYMENT.SALE.COMPLETED","summary":"Payment completed for $ 20.0 USD","resource"'
    b':{"id":"4EU7004268015634R","create_time":"2015-05-18T15:44:02Z","update_time":"2015-05-18T15:44:21Z"'
    b',"amount":{"total":"20.00","currency":"USD"},"payment_mode":"INSTANT_TRANSFER","state":"completed","'
    b'protection_eligibility":"ELIGIBLE","protection_eligibility_type":"ITEM_NOT_RECEIVED_ELIGIBLE,UNAUTHO'
    b'RIZED_PAYMENT_ELIGIBLE","parent_payment":"PAY-86C81811X5228590KKVNARQQ","transaction_fee":{"value":"'
    b'0.88","currency":"USD"},"links":[{"href":"https://api.sandbox.paypal.com/v1/payments/sale/4EU7004268'
    b'015634R","rel":"self","method":"GET"},{"href":"https://api.sandbox.paypal.com/v1/payments/sale/4EU70'
    b'04268015634R/refund","rel":"refund","method":"POST"},{"href":"https://api.sandbox.paypal.com/v1/paym'
    b'ents/payment/PAY-86C81811X5228590KKVNARQQ","rel":"parent_payment","method":"GET"}]},"links":[{"href"'
    b':"https://api.sandbox.paypal.com/v1/notifications/webhooks-events/WH-0G2756385H040842W-5Y612302CV158'
    b'622M","rel":"self","method":"GET"},{"href":"https://api.sandbox.paypal.com/v1/notifications/webhooks'
    b'-events/WH-0G2756385H040842W-5Y612302CV158622M/resend","rel":"resend","method":"POST"}]}'
)
_DER = (
    "MIIHqDCCBpCgAwIBAgIQCSVMkxB1Kw9SPZtpAr3lTDANBgkqhkiG9w0BAQsFADB1MQswCQYDVQQGEwJVUzEVMBMGA1UEChMMRGln"
    "aUNlcnQgSW5jMRkwFwYDVQQLExB3d3cuZGlnaWNlcnQuY29tMTQwMgYDVQQDEytEaWdpQ2VydCBTSEEyIEV4dGVuZGVkIFZhbGlk"
    "YXRpb24gU2VydmVyIENBMB4XDTE1MDMxODAwMDAwMFoXDTE3MDMyMjEyMDAwMFowggElMR0wGwYDVQQPDBRQcml2YXRlIE9yZ2Fu"
    "aXphdGlvbjETMBEGCysGAQQBgjc8AgEDEwJVUzEZMBcGCysGAQQBgjc8AgECEwhEZWxhd2FyZTEQMA4GA1UEBRMHMzAxNDI2NzEW"
    "MBQGA1UECRMNMjIxMSBOIDFzdCBTdDEOMAwGA1UEERMFOTUxMzExCzAJBgNVBAYTAlVTMRMwEQYDVQQIEwpDYWxpZm9ybmlhMREw"
    "DwYDVQQHEwhTYW4gSm9zZTEVMBMGA1UEChMMUGF5UGFsLCBJbmMuMRgwFgYDVQQLEw9QYXJ0bmVyIFN1cHBvcnQxNDAyBgNVBAMT"
    "K21lc3NhZ2V2ZXJpZmljYXRpb25jZXJ0cy5zYW5kYm94LnBheXBhbC5jb20wggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIB"
    "AQDIXgwJj1E+vPOLNA7e3nFsRpQq7G1CFcoCNeRgFIGRfd4itt2jBRPfHXf1eeXODQ6VwTMP6rVYrI3HBQu5SZRZKO3gALPiBWTc"
    "z5FhVovYDz/d/DtasA5L7l1xmRM+GGPEe/D3ETPeyym6GTAuIzR1ju1BuSQlVnIrcILDHrFZo0RyqFH1eNL3oYfgz+ZCv+WH65rh"
    "S60VowiLAb2lsARckJ2P8wKIps3YUxAqVG5SJ9H49ueBDI01wEzE/+59J8s9GThmbMTqP6x4MneAcGN1TPimGd9wZlbwwrCYDtCo"
    "qFDcxMVgvD83uPrIinFwTIOXw63QSv8/+ANuawBcNJDrAgMBAAGjggOAMIIDfDAfBgNVHSMEGDAWgBQ901Cl1qCt7vNKYApl0yHU"
    "+PjWDzAdBgNVHQ4EFgQUt5yLggZOjjfzULzZCgX2KZO3R/gwNgYDVR0RBC8wLYIrbWVzc2FnZXZlcmlmaWNhdGlvbmNlcnRzLnNh"
    "bmRib3gucGF5cGFsLmNvbTAOBgNVHQ8BAf8EBAMCBaAwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMHUGA1UdHwRuMGww"
    "NKAyoDCGLmh0dHA6Ly9jcmwzLmRpZ2ljZXJ0LmNvbS9zaGEyLWV2LXNlcnZlci1nMS5jcmwwNKAyoDCGLmh0dHA6Ly9jcmw0LmRp"
    "Z2ljZXJ0LmNvbS9zaGEyLWV2LXNlcnZlci1nMS5jcmwwQgYDVR0gBDswOTA3BglghkgBhv1sAgEwKjAoBggrBgEFBQcCARYcaHR0"
    "cHM6Ly93d3cuZGlnaWNlcnQuY29tL0NQUzCBiAYIKwYBBQUHAQEEfDB6MCQGCCsGAQUFBzABhhhodHRwOi8vb2NzcC5kaWdpY2Vy"
    "dC5jb20wUgYIKwYBBQUHMAKGRmh0dHA6Ly9jYWNlcnRzLmRpZ2ljZXJ0LmNvbS9EaWdpQ2VydFNIQTJFeHRlbmRlZFZhbGlkYXRp"
    "b25TZXJ2ZXJDQS5jcnQwDAYDVR0TAQH/BAIwADCCAX0GCisGAQQB1nkCBAIEggFtBIIBaQFnAHUApLkJkLQYWBSHuxOizGdwCjw1"
    "mAT5G9+443fNDsgN3BAAAAFMLovtNgAABAMARjBEAiBTR7r3p76qUJzF23lsbD/cLsA0KlxoJRSIvIK0OIYWiQIgVQWja8tWBlpc"
    "oFP30Iym7IuczitSazpHfhKAVroTgXgAdgBo9pj4H2SCvjqM7rkoHUz8cVFdZ5PURNEKZ6y7T0/7xAAAAUwui+z4AAAEAwBHMEUC"
    "IEP3VYyLQB7lOgFo4WstyOurmRe3xa0OVaeFL/bDohHOAiEA+xQrRVAfaeT4qBdBJzLyVLU4V9bh/qBMXJdjvYujhAcAdgBWFAaa"
    "L9fC7NP14b1Esj7HRna5vJkRXMDvlJhV1onQ3QAAAUwui+6EAAAEAwBHMEUCIQC/YUc5X6xyb3hoo4VMSJqSoNg9KKkvLh9nUQCd"
    "wHi3/QIgNwcBc9ZZCR/aWXQ7hKH6d39kpkDX2Z43XPy/Kl5sKI4wDQYJKoZIhvcNAQELBQADggEBAHixEZNpb0M1MsvsfNI6lLKx"
    "rs9sJkcBcmxrFyhTC8KP+Qp+Z1fnMRQwpTLIMr1+uAMqCPAnIShGHeFNJpUFSMyW4o0l+pZGz/L/YJBs7XP3ChSGC17ZKeGSQFfM"
    "qMQXfY/L6+n/1HkAwqmewqUMEuUmWN3FkXJqVngIYGZtxXRyiv2azLOhrNP8BgNZK6d2gVxntQfGr4hnd8Juq8SJy/S4xpPYYPD8"
    "vW7/wSOdAe1/kU38QwDVBQ5PJePS2WFwz8YA/eKcyg9lfsianfw35SjehJbnwGwzUbjtibyJnv3eAeYDGxaI6vbuoE99pSmYGIwS"
    "BLJwZamJHjci6HL6wLg="
)
_LINES = "\n".join(_DER[start : start + 64] for start in range(0, len(_DER), 64))
PEM = f"-----BEGIN CERTIFICATE-----\n{_LINES}\n-----END CERTIFICATE-----\n".encode()
