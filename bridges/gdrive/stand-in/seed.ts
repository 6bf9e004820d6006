import type { DriveState, StoredFile } from './state.ts';

const WORKSPACE = 'application/vnd.google-apps.';
const DAY_MS = 86_400_000;

const CONTRACT_ORANGERY = `# Venue contract: Orangery at Linden Park

Between **Fenwick Events** and **Lindenpark Betriebsgesellschaft**, for the wedding of Hannah Weiss and Jonas Albrecht.

- Date: 8 May 2027, from 14:00 until 01:00
- Guests: up to 130, of them 14 children
- Day rate: 3,200.00 EUR, half of it due six weeks before
- Amenities: garden, bridal room, parking

## Cancellation

Free of charge until 90 days before; half of the day rate until 30 days before.
`;

const CONTRACT_CATERING = `# Catering contract: Feldkueche

Seasonal menu in four courses for 130 guests, vegetarian and vegan choices included. Final number of guests until 24 April 2027.

| course | choice A | choice B |
| ------ | -------- | -------- |
| starter | asparagus tart | smoked char |
| main | guinea fowl | celeriac from the fire |
| dessert | rhubarb and woodruff | chocolate and sea salt |
`;

const RUN_SHEET = `# Run sheet: Wedding Weiss & Albrecht

- 14:00 Guests arrive, lemonade in the garden
- 15:00 Ceremony under the linden tree
- 16:30 Cake and coffee, Nordlicht Quartett plays
- 19:00 Dinner in the orangery
- 22:00 DJ Kassandra
`;

const SEATING = `Table,Seat,Guest,Menu,Notes
1,1,Hannah Weiss,A,Bride
1,2,Jonas Albrecht,A,Groom
1,3,Ingrid Weiss,B,
1,4,Peter Albrecht,A,wheelchair
2,1,Mira Kovacs,vegan,
2,2,"Schulz, Emil",A,child
2,3,"Schulz, Nora",B,
`;

const BUDGET = `Item,Planned EUR,Paid EUR,Vendor
Venue,3200.00,1600.00,Orangery at Linden Park
Catering,11050.00,0.00,Feldkueche
Music,2400.00,600.00,Nordlicht Quartett
Flowers,1850.00,0.00,Bluetenwerk
Photography,2100.00,500.00,Studio Halbschatten
`;

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);

/** Puts an event planner's folders into an empty Drive. */
export function seed(drive: DriveState): void {
  const now = Date.now();
  let count = 0;
  const put = (
    name: string,
    mimeType: string,
    daysAgo: number,
    rest: { readonly parent?: StoredFile; readonly content?: string | Buffer; readonly description?: string } = {},
  ): StoredFile => {
    count += 1;
    const { parent, content, description } = rest;
    const stored = drive.create({
      name,
      mimeType,
      parent: parent?.id,
      description,
      content: typeof content === 'string' ? Buffer.from(content) : content,
      // Minutes apart, so that an order by time is the same every time.
      atMs: now - daysAgo * DAY_MS + count * 60_000,
    });
    return stored;
  };
  const folder = (name: string, daysAgo: number, parent?: StoredFile) =>
    put(name, `${WORKSPACE}folder`, daysAgo, parent === undefined ? {} : { parent });

  const wedding = folder('Wedding Weiss & Albrecht 2027-05-08', 120);
  const contracts = folder('Contracts', 119, wedding);
  const photos = folder('Photos', 60, wedding);
  const document = `${WORKSPACE}document`;
  const sheet = `${WORKSPACE}spreadsheet`;
  put('Contract Orangery at Linden Park', document, 90, { parent: contracts, content: CONTRACT_ORANGERY });
  put('Contract catering Feldkueche', document, 45, { parent: contracts, content: CONTRACT_CATERING });
  put('Contract Nordlicht Quartett (signed).pdf', 'application/pdf', 40, {
    parent: contracts,
    content: '%PDF-1.4\n%%EOF\n',
    description: 'Signed by both sides',
  });
  const seating = put('Seating plan', sheet, 3, { parent: wedding, content: SEATING });
  const budget = put('Budget', sheet, 5, { parent: wedding, content: BUDGET });
  put('Run sheet', document, 2, { parent: wedding, content: RUN_SHEET });
  put('Welcome speech', `${WORKSPACE}presentation`, 10, { parent: wedding, content: 'Welcome\nHannah and Jonas\n' });
  put('Orangery garden.png', 'image/png', 58, { parent: photos, content: PIXEL });
  put('Orangery hall.png', 'image/png', 57, { parent: photos, content: PIXEL });
  put("Caterer's notes.txt", 'text/plain', 20, { parent: wedding, content: 'Asparagus from the regional market.\n' });

  const summit = folder('Harbour Logistics Summit 2027-05-20', 80);
  put('Speakers', sheet, 15, { parent: summit, content: 'Speaker,Talk,Minutes\nDr. Aylin Demir,Quiet cranes,30\n' });
  put('Templates', `${WORKSPACE}folder`, 400);

  const colleague = { type: 'user', emailAddress: 'mara@fenwick-events.example', displayName: 'Mara Fenwick' };
  drive.grant(wedding, { ...colleague, role: 'writer' });
  drive.grant(seating, {
    type: 'user',
    role: 'commenter',
    emailAddress: 'hannah@weiss.example',
    displayName: 'Hannah Weiss',
  });
  drive.grant(budget, {
    type: 'domain',
    role: 'reader',
    domain: 'fenwick-events.example',
    displayName: 'Fenwick Events',
  });
}
