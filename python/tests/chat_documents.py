"""Forty short documents of a made-up company, and questions with the file that answers each."""

from __future__ import annotations

from pathlib import Path

DOCUMENTS: dict[str, str] = {
    "people/holidays.md": "# Annual leave\n\nEvery employee has thirty days of leave a year. Leave that is not taken lapses at the end of March of the following year.",
    "people/sick.md": "# Illness\n\nTell your team lead before nine o'clock when you are unwell. A doctor's note is needed from the fourth day of absence.",
    "people/parents.html": "<h1>Parental leave</h1><p>New mothers and fathers may stay at home for up to fourteen months after the birth. Pay continues at two thirds of the salary.</p>",
    "people/bicycle.md": "# Job bike\n\nAfter six months of employment you may lease a bicycle through the company. The rate is taken from your gross wages.",
    "people/training.pdf": "Training budget. Each colleague may spend one thousand five hundred euros a year on courses, books and conferences. Ask in the people team's channel before you book.",
    "people/onboarding.html": "<h1>Your first week</h1><p>On Monday you receive your laptop and badge. A buddy from another team has lunch with you on the first three days.</p>",
    "people/probation.md": "# Trial period\n\nDuring the first six months either side may end the contract with two weeks' notice. There is a talk after three months.",
    "people/pension.pdf": "Company pension. The firm adds twenty percent to whatever part of your wages you put into the retirement fund.",
    "office/kitchen.md": "# Kitchen\n\nThe dishwasher is started by whoever leaves last. Food without a name on it is thrown away on Friday afternoon.",
    "office/coffee.md": "# Coffee machine\n\nDescale it on the first of each month with the powder under the sink. When the red lamp blinks the grounds drawer is full.",
    "office/visitors.html": "<h1>Guests</h1><p>Register people from outside at the reception a day ahead. They must be accompanied at all times beyond the lobby.</p>",
    "office/printer.md": "# Printer\n\nHold the green button for five seconds to clear a paper jam. Toner is in the cupboard opposite the lift.",
    "office/fire.pdf": "Fire drill. When the alarm sounds leave by the stairs and gather on the car park behind the building. Do not use the lift. Floor wardens wear orange vests.",
    "office/parking.html": "<h1>Parking</h1><p>Spaces one to ten belong to electric cars and have chargers. Others are first come, first served.</p>",
    "office/heating.md": "# Heating\n\nThe radiators switch off at seven in the evening. Facility management raises the temperature on request for late work.",
    "office/dogs.md": "# Animals\n\nDogs are welcome on the second floor if nobody in the room is allergic. They stay on a leash in the corridors.",
    "it/password.md": "# Passwords\n\nUse the password manager for everything. A secret must have at least sixteen characters and is never sent by mail.",
    "it/vpn.md": "# Working from elsewhere\n\nStart the tunnel client before opening internal sites from home. Choose the gateway in Frankfurt if Dublin is slow.",
    "it/phishing.html": "<h1>Suspicious messages</h1><p>Do not click. Forward the mail as an attachment to the security desk, then delete it.</p>",
    "it/backup.pdf": "Backups. Laptops are copied every night to the storage in Oslo. A file that was deleted can be restored for ninety days.",
    "it/laptop.md": "# Broken devices\n\nIf your computer was stolen or fell into water, call the help desk at once, at any hour. A replacement is there within two working days.",
    "it/printer_driver.sh": "# Installs the driver of the office printer on Linux.\nset -e\nlpadmin -p office -E -v ipp://printer.local/ipp/print -m everywhere\n",
    "it/rotate_keys.py": '"""Makes new signing keys and retires the old ones after a week."""\n\n\ndef rotate(store, now):\n    store.add(new_key(now))\n    store.remove_older_than(now - 7 * DAY)\n',
    "it/healthcheck.go": "package main\n\n// Probe asks each replica whether it is alive and takes the silent ones out of the load balancer.\nfunc Probe(replicas []Replica) {\n}\n",
    "it/schema.sql": "-- Invoices and their lines; amounts are in cents, never floating point.\nCREATE TABLE invoice (id INTEGER PRIMARY KEY, customer TEXT, cents INTEGER);\n",
    "it/deploy.yaml": "# Releases go out on Tuesday and Thursday mornings; none on Friday.\nschedule: '0 9 * * 2,4'\ncanary_percent: 5\n",
    "sales/discounts.md": "# Rebates\n\nUp to ten percent may be granted without asking. Anything beyond needs the signature of the regional director.",
    "sales/travel.pdf": "Business trips. Take the train below six hundred kilometres. Second class by default, first class above four hours of travel.",
    "sales/expenses.html": "<h1>Getting your money back</h1><p>Photograph the receipts and upload them within thirty days. The amount arrives with the next salary.</p>",
    "sales/hotel.md": "# Accommodation\n\nA room may cost one hundred and forty euros a night, in London and Zurich two hundred.",
    "sales/gifts.md": "# Presents\n\nNothing worth more than thirty five euros may be accepted from a supplier. Flowers are shared with the team.",
    "sales/contract.pdf": "Terms for customers. Payment is due within fourteen days of the invoice. After that a reminder is sent, then a fee of forty euros applies.",
    "sales/support.html": "<h1>Support hours</h1><p>Customers with the gold plan reach an engineer around the clock. Silver ones are answered on weekdays from eight to six.</p>",
    "sales/refund.md": "# Returns\n\nGoods may be sent back within a month. We repay the price, and the postage if the item was faulty.",
    "product/release.md": "# Version 4\n\nThe new engine halves the time of a full export. Dark mode is available on all screens. The old importer has been removed.",
    "product/limits.md": "# Quotas\n\nA free account holds three projects and one gigabyte of files. Requests are throttled beyond sixty a minute.",
    "product/api.html": "<h1>Interface</h1><p>Authenticate with a bearer token in the header. Lists come in pages of one hundred entries with a cursor.</p>",
    "product/privacy.pdf": "Personal data. We keep addresses as long as the account exists and erase them thirty days after it is closed. Nothing is sold to advertisers.",
    "product/accessibility.md": "# For everyone\n\nAll pages can be used with the keyboard alone and read aloud by a screen reader. Contrast follows the guidelines of the W3C.",
    "product/history.txt": "The company was founded in 1998 by two sisters in a garage in Lyon. The first product was a program for dentists' appointments.",
}

# Of these, at least ten share no telling word with the file that answers.
QUESTIONS: dict[str, str] = {
    "How much vacation do I get?": "people/holidays.md",
    "I feel ill today, whom do I inform?": "people/sick.md",
    "How long can a dad take off for a newborn baby?": "people/parents.html",
    "Can I get a cycle through my employer?": "people/bicycle.md",
    "How much money is there for seminars and learning?": "people/training.pdf",
    "What happens to unlabelled lunch in the fridge?": "office/kitchen.md",
    "How do I remove limescale from the espresso maker?": "office/coffee.md",
    "Where do we meet after evacuating the building?": "office/fire.pdf",
    "Where can I charge my Tesla?": "office/parking.html",
    "May I bring my puppy to work?": "office/dogs.md",
    "Somebody sent me a scam email, what now?": "it/phishing.html",
    "My notebook was robbed, who helps?": "it/laptop.md",
    "Can a removed document be recovered?": "it/backup.pdf",
    "Which code replaces the cryptographic keys?": "it/rotate_keys.py",
    "On which weekdays do we ship software?": "it/deploy.yaml",
    "How do I claim reimbursement for costs?": "sales/expenses.html",
    "Should I fly or go by rail to a customer?": "sales/travel.pdf",
    "What if a client pays too late?": "sales/contract.pdf",
    "Can blind people use our software?": "product/accessibility.md",
    "Who started the firm?": "product/history.txt",
}


def write_documents(root: Path) -> None:
    for name, text in DOCUMENTS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pdf_of(text) if path.suffix == ".pdf" else text.encode())


def pdf_of(text: str) -> bytes:
    """A page with the text, in lines of about sixty letters."""
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) > 60:
            lines.append(line)
            line = ""
        line += word + " "
    escaped = [part.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for part in [*lines, line]]
    content = "BT /F1 12 Tf 14 TL 50 780 Td " + " ".join(f"({part}) Tj T*" for part in escaped) + " ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    return (out + end + f"startxref\n{len(out)}\n%%EOF\n").encode("latin-1")
