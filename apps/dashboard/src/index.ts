export { type DashboardConfig, environmentZ, readDashboardConfig } from './config.ts';
export { type RunningDashboard, startDashboard } from './dashboard.ts';
