import { createLog } from '../../core/server-kit/log.ts';
import { serve } from '../../core/server-kit/serve.ts';
import { StripeClient } from './client.ts';
import { FirstLooks } from './first-looks.ts';
import { readSettings } from './settings.ts';
import { createInvoiceTool } from './tools/create-invoice.ts';
import { createCustomerTool, getCustomerTool, listCustomersTool, updateCustomerTool } from './tools/customers.ts';
import { finalizeInvoiceTool, listInvoicesTool, sendInvoiceTool } from './tools/invoices.ts';
import { createPaymentLinkTool } from './tools/payment-links.ts';
import { createRefundTool, getBalanceTool, getPaymentIntentTool } from './tools/payments.ts';
import { createPriceTool, listPricesTool } from './tools/prices.ts';
import { listProductsTool } from './tools/products.ts';
import type { Toolbox } from './tools/toolbox.ts';

await serve(() => {
  const settings = readSettings();
  if (settings.live) createLog({ server: 'stripe' }).warn('live key: calls move real money');
  const client = new StripeClient(settings);
  const toolbox: Toolbox = { client, firstLooks: new FirstLooks(), inFlightMs: settings.inFlightMs };
  return {
    name: 'stripe',
    version: '0.1.0',
    instructions:
      'A Stripe account. Amounts are whole numbers in the smallest unit of the currency (1250 is 12.50 EUR). Find the customer or the price first; invoices are made as drafts and ' +
      'mailed by send_invoice.',
    tools: [
      listCustomersTool(toolbox),
      getCustomerTool(toolbox),
      createCustomerTool(toolbox),
      updateCustomerTool(toolbox),
      listProductsTool(toolbox),
      listPricesTool(toolbox),
      createPriceTool(toolbox),
      createPaymentLinkTool(toolbox),
      createInvoiceTool(toolbox),
      finalizeInvoiceTool(toolbox),
      sendInvoiceTool(toolbox),
      listInvoicesTool(toolbox),
      getPaymentIntentTool(toolbox),
      createRefundTool(toolbox),
      getBalanceTool(toolbox),
    ],
    close: async () => client.close(),
  };
});
