import { type OperationOptions } from './operation.ts';
export interface DoctorOptions extends OperationOptions { readonly json?: true }
export async function doctor(_options: DoctorOptions): Promise<number> { return 0; }
