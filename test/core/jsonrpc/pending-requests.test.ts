import { expect, it } from 'vitest';
import { PendingRequests } from '#core/jsonrpc/pending-requests.ts';
import { PendingRequest } from '#core/jsonrpc/request.ts';

class Silent extends PendingRequest {
  constructor(id: number) {
    super();
    this.id = id;
  }
  answered(): void {}
  refused(): void {}
  failed(): void {}
}

it('gives each request once, however long it has waited', () => {
  const pending = new PendingRequests();
  const slow = [1, 2, 700].map((id) => new Silent(id));
  for (let id = 1; id <= 10_000; id++) {
    const request = slow.find((each) => each.id === id) ?? new Silent(id);
    pending.add(request);
    if (!slow.includes(request)) expect(pending.take(id)).toBe(request);
  }
  expect(pending.size).toBe(3);
  for (const request of slow) {
    expect(pending.take(request.id)).toBe(request);
    expect(pending.take(request.id)).toBeUndefined();
  }
  expect(pending.size).toBe(0);
});

it('knows no id that was never added, nor one a round away', () => {
  const pending = new PendingRequests();
  pending.add(new Silent(5));
  for (const id of [0, -5, 4, 5 + 256, 5 - 256, 5.5, Number.MAX_SAFE_INTEGER]) expect(pending.take(id)).toBeUndefined();
  expect(pending.size).toBe(1);
});

it('gives all that are left in the order of their ids', () => {
  const pending = new PendingRequests();
  for (let id = 250; id <= 1_000; id++) pending.add(new Silent(id));
  expect(pending.takeAll().map(({ id }) => id)).toEqual(Array.from({ length: 751 }, (_, i) => 250 + i));
  expect(pending.size).toBe(0);
  expect(pending.take(999)).toBeUndefined();
});
